// The settings of each part of the server, taken from the configuration: the one place that knows both.

extension LogOutput.Settings {
    init(_ configuration: Configuration) {
        self.init(level: configuration.logLevel, format: configuration.logFormat)
    }
}

extension ConnectionLimits.Settings {
    init(_ configuration: Configuration) {
        self.init(
            rates: configuration.rateLimit,
            maximumConnections: [.smtp: configuration.smtp.maxConnections, .imap: configuration.imap.maxConnections])
    }
}

extension TLSMaterial.Settings {
    init(_ configuration: Configuration) {
        self.init(
            hostname: configuration.hostname, certificateFile: configuration.tls.certFile,
            keyFile: configuration.tls.keyFile, directory: configuration.mailRoot + "/tls")
    }
}
