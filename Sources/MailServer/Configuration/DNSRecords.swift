/// The DNS records to publish for a mail host, as zone-file lines.
package enum DNSRecords {
    /// - Parameter configuration: determines names and ports; a port that is off or 0 gets no SRV record.
    package static func lines(_ configuration: Configuration) -> [String] {
        let host = configuration.hostname + "."
        var lines = ["; replace 192.0.2.1 with this machine's public address", "\(host) IN A 192.0.2.1"]
        for domain in configuration.domains {
            lines += [
                "",
                "; \(domain)",
                "\(domain). IN MX 10 \(host)",
                "\(domain). IN TXT \"v=spf1 mx -all\"",
                "_dmarc.\(domain). IN TXT \"v=DMARC1; p=quarantine; rua=mailto:postmaster@\(domain)\"",
                "autoconfig.\(domain). IN CNAME \(host)",
            ]
            let services: [(String, Port?)] = [
                ("_submission", configuration.smtp.submissionPort), ("_submissions", configuration.smtp.smtpsPort),
                ("_imap", configuration.imap.port), ("_imaps", configuration.imap.imapsPort),
                ("_autodiscover", configuration.exchangeAPI.securePort),
            ]
            for (name, port) in services {
                guard let port, port != 0 else { continue }
                lines.append("\(name)._tcp.\(domain). IN SRV 0 1 \(port) \(host)")
            }
        }
        return lines
    }
}
