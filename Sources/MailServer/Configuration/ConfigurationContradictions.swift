import Primitives

extension Configuration {
    /// Finds settings that are valid on their own but contradict each other.
    package func contradictions() -> [ConfigurationProblem] {
        portClashes() + tlsPairs() + smarthostPairs() + statePlace()
    }

    /// The address of every listener, whether TLS is on or off.
    private var listenerAddresses: [(key: String, host: String, port: Port?)] {
        [
            ("smtp.port", smtp.host, smtp.port),
            ("smtp.submission_port", smtp.host, smtp.submissionPort),
            ("smtp.smtps_port", smtp.host, smtp.smtpsPort),
            ("imap.port", imap.host, imap.port),
            ("imap.imaps_port", imap.host, imap.imapsPort),
            ("exchange_api.port", exchangeAPI.host, exchangeAPI.port),
            ("exchange_api.secure_port", exchangeAPI.host, exchangeAPI.securePort),
            ("lmtp.port", lmtp.host, lmtp.port),
            ("metrics.port", metrics.host, metrics.port),
        ]
    }

    private func portClashes() -> [ConfigurationProblem] {
        var found: [ConfigurationProblem] = []
        var earlier: [(key: String, host: String, port: Port)] = []
        for (key, host, port) in listenerAddresses {
            guard let port, port != 0 else { continue }
            if let other = earlier.first(where: { $0.port == port && overlap($0.host, host) }) {
                found.append(
                    ConfigurationProblem(
                        key: key, "\(key) and \(other.key) are both \(port); give each listener its own port"))
            }
            earlier.append((key, host, port))
        }
        return found
    }

    private func overlap(_ a: String, _ b: String) -> Bool {
        let anyAddress: Set = ["0.0.0.0", "::"]
        return a == b || anyAddress.contains(a) || anyAddress.contains(b)
    }

    private func tlsPairs() -> [ConfigurationProblem] {
        switch (tls.certFile, tls.keyFile) {
        case (.some, nil):
            [ConfigurationProblem(key: "tls.key_file", "tls.cert_file is set, so tls.key_file must name its key")]
        case (nil, .some):
            [
                ConfigurationProblem(
                    key: "tls.cert_file", "tls.key_file is set, so tls.cert_file must name its certificate")
            ]
        default: []
        }
    }

    private func smarthostPairs() -> [ConfigurationProblem] {
        guard (relay.smarthostUsername == nil) != (relay.smarthostPassword == nil) else { return [] }
        return [
            ConfigurationProblem(
                key: "relay.smarthost_username",
                "relay.smarthost_username and relay.smarthost_password must both be set, or neither")
        ]
    }

    private func statePlace() -> [ConfigurationProblem] {
        guard let state = storage.statePath, PathText.isInside(state, mailRoot) else { return [] }
        return [
            ConfigurationProblem(
                key: "storage.state_path",
                "storage.state_path must be outside mail_root, because it must not be copied with the store")
        ]
    }
}
