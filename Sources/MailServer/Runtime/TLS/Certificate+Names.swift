package import X509

extension Certificate {
    /// Returns true if a DNS name of the certificate matches the host, possibly with a wildcard as the first label
    /// (RFC 9525 section 6.3).
    package func names(_ hostname: String) -> Bool {
        guard let names = try? extensions.subjectAlternativeNames else { return false }
        let hostname = hostname.lowercased()
        let parent = hostname.firstIndex(of: ".").map { "*" + hostname[$0...] }
        return names.contains { name in
            guard case .dnsName(let pattern) = name else { return false }
            return pattern.lowercased() == hostname || pattern.lowercased() == parent
        }
    }
}
