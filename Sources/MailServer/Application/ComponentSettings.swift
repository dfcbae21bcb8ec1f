import MIME
import MailAccounts
import MailDelivery
import MailIMAP
import MailSMTP
import Primitives
import ServerConfiguration
import ServerRuntime

// The mapping from the configuration to the settings of each component.

extension NoSettings: ComponentSettings {
    init(_ configuration: Configuration) { self.init() }
}

extension LogOutput.Settings: ComponentSettings {
    init(_ configuration: Configuration) {
        self.init(level: configuration.logLevel, format: configuration.logFormat)
    }
}

extension ServerStore.Settings: ComponentSettings {
    init(_ configuration: Configuration) { self.init(domains: configuration.domains) }
}

extension TLSMaterial.Settings: ComponentSettings {
    init(_ configuration: Configuration) {
        self.init(
            hostname: configuration.hostname, certificateFile: configuration.tls.certFile,
            keyFile: configuration.tls.keyFile, directory: configuration.mailRoot + "/tls")
    }
}

extension ConnectionLimits.Settings: ComponentSettings {
    init(_ configuration: Configuration) {
        self.init(
            rates: configuration.rateLimit,
            maximumConnections: [.smtp: configuration.smtp.maxConnections, .imap: configuration.imap.maxConnections])
    }
}

extension LoginSettings: ComponentSettings {
    init(_ configuration: Configuration) { self.init(defaultDomain: configuration.domains.first) }
}

extension LocalDelivery.Settings: ComponentSettings {
    init(_ configuration: Configuration) {
        self.init(
            defaultDomain: configuration.domains.first,
            publicAddresses: configuration.smtp.publicAddresses.compactMap { IPAddress($0) },
            parseLimits: configuration.limits.parseLimits, memory: configuration.limits.connectionMemory)
    }
}

extension SMTPService.Settings: ComponentSettings {
    init(_ configuration: Configuration) {
        self.init(
            hostname: configuration.hostname, smtp: configuration.smtp, maxLineLength: configuration.limits.smtpLine,
            maxPathLength: configuration.limits.smtpPath, maxHeaderSize: configuration.limits.headerBytes,
            maxLoginFailures: configuration.limits.loginFailuresPerConnection,
            loginTimeout: configuration.limits.loginTimeout)
    }
}

extension IMAPService.Settings: ComponentSettings {
    init(_ configuration: Configuration) {
        self.init(
            hostname: configuration.hostname, imap: configuration.imap, maxLineLength: configuration.limits.imapLine,
            maxSearchKeys: configuration.limits.searchKeys,
            maxLoginFailures: configuration.limits.loginFailuresPerConnection,
            loginTimeout: configuration.limits.loginTimeout,
            parseLimits: configuration.limits.parseLimits, memory: configuration.limits.connectionMemory)
    }
}

extension LimitSettings {
    /// The limits for parsing messages.
    fileprivate var parseLimits: ParseLimits {
        ParseLimits(depth: mimeDepth, parts: mimeParts, headerBytes: headerBytes)
    }
}
