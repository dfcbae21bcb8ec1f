/// All settings of the server: plain values with working defaults.
///
/// `ConfigurationKey.all` maps every value to its key in config.json; a value without a key cannot be set.
/// Sizes are in bytes and times in seconds unless the name says otherwise.
package struct Configuration: Sendable, Equatable {
    /// The server's fully qualified host name, for banners, `Received` fields and the certificate.
    package var hostname = "mail.example.com"
    /// The store's root directory. Absolute after reading.
    package var mailRoot = "./mailstore"
    /// Domains to create if missing, in lower case. A domain exists if its domain.json does.
    package var domains = ["example.com"]
    package var logLevel = LogLevel.info
    package var logFormat = LogFormat.text
    package var service = ServiceSettings()
    package var smtp = SMTPSettings()
    package var imap = IMAPSettings()
    package var exchangeAPI = ExchangeAPISettings()
    package var delivery = DeliverySettings()
    package var tls = TLSSettings()
    package var rateLimit = RateLimitSettings()
    package var storage = StorageSettings()
    package var index = IndexSettings()
    package var limits = LimitSettings()
    package var relay = RelaySettings()
    package var lmtp = LMTPSettings()
    package var metrics = MetricsSettings()

    package init() {}
}

/// Log levels, named and ordered as in Python's logging module.
package enum LogLevel: String, Sendable, CaseIterable {
    case debug = "DEBUG"
    case info = "INFO"
    case warning = "WARNING"
    case error = "ERROR"
    case critical = "CRITICAL"
}

package enum LogFormat: String, Sendable, CaseIterable {
    case text
    /// One JSON object per line.
    case json
}

package struct ServiceSettings: Sendable, Equatable {
    /// The user that the server works as when root has started it; nil refuses to serve others than this machine as root.
    package var user: String?
    /// nil is the user's own group.
    package var group: String?
}

/// A listener's port. Where it is optional, nil turns the listener off; 0 picks a free port.
package typealias Port = UInt16

package struct SMTPSettings: Sendable, Equatable {
    package var host = "0.0.0.0"
    package var port: Port? = 25
    package var submissionPort: Port? = 587
    package var smtpsPort: Port? = 465
    package var maxMessageSize = 52_428_800
    /// RFC 5321 section 4.5.3.1.8 asks for 100 at least.
    package var maxRecipients = 1000
    package var maxConnections = 100
    package var maxMessagesPerConnection = 50
    /// Addresses that lead here, beside those of the network interfaces: of a router that forwards the ports.
    package var publicAddresses: [String] = []
}

package struct IMAPSettings: Sendable, Equatable {
    package var host = "0.0.0.0"
    package var port: Port? = 143
    package var imapsPort: Port? = 993
    package var maxConnections = 100
    package var maxLiteralSize = 52_428_800
    package var idleTimeout = 1800
    /// Capabilities hidden from clients.
    package var suppressCapabilities: [String] = []
}

package struct ExchangeAPISettings: Sendable, Equatable {
    package var host = "0.0.0.0"
    package var port: Port? = 9002
    package var securePort: Port? = 9003
    /// The HMAC key of the tokens; nil generates one and keeps it in `{mail_root}/token_secret`.
    package var tokenSecret: String?
    package var tokenLifetime = 3600
}

package struct DeliverySettings: Sendable, Equatable {
    package var workers = 4
}

package struct TLSSettings: Sendable, Equatable {
    package var enabled = true
    /// A PEM file; nil uses the self-signed certificate in `{mail_root}/tls`.
    package var certFile: String?
    package var keyFile: String?
}

package struct RateLimitSettings: Sendable, Equatable {
    package var enabled = true
    package var connectionRate = 20
    package var connectionPeriod = 60
    package var messageRate = 30
    package var messagePeriod = 60
    package var recipientRate = 100
    package var recipientPeriod = 60
    package var authFailureLimit = 5
    package var authFailureLockout = 600
    package var maxConcurrentPerIP = 10
    package var maxConcurrentIMAPPerIP = 50
    /// Connections of one account.
    package var maxConcurrentPerAccount = 10
    package var maxConcurrentIMAPPerAccount = 40
    /// Per cent of all places that are kept for addresses that have logged in within `reservedPeriod`.
    package var reservedPercent = 20
    package var reservedPeriod = 86_400
    /// Addresses and networks (such as `10.0.0.0/8`) exempt from all limits.
    package var whitelist = ["127.0.0.1", "::1"]
    package var maxTrackedIPs = 10_000
    package var cleanupInterval = 300

    package init() {}
}

package struct StorageSettings: Sendable, Equatable {
    package enum Durability: String, Sendable, CaseIterable {
        case full, messages, none
    }

    package var durability = Durability.messages
    package var expungeRetentionHours = 24
    /// The floor of free room below which no new mail is taken, in MiB and in files.
    package var minimumFreeMB = 100
    package var minimumFreeFiles = 1_000
    /// Threads for blocking file work; nil means twice the number of cores, and at least four.
    package var threads: Int?
    /// Whether short work that needs no disk is done without the threads.
    package var inline = true
    /// The directory for node-local state; nil only until the configuration is resolved.
    package var statePath: String?
    /// This node's name among the machines sharing the store; nil uses the random id kept in `statePath`.
    package var node: String?
    /// Whether several machines share the store; nil detects it from the file system.
    package var shared: Bool?
}

package struct IndexSettings: Sendable, Equatable {
    package var enabled = true
    /// The cache directory; nil only until the configuration is resolved.
    package var path: String?
    package var maxSizeMB = 4096
}

package struct LimitSettings: Sendable, Equatable {
    package var lockWait = 10.0
    package var lockWaiters = 64
    package var imapLine = 65_536
    package var searchKeys = 10_000
    package var mailboxes = 10_000
    package var subscriptions = 10_000
    package var annotations = 10_000
    package var smtpLine = 4096
    package var smtpPath = 256
    package var headerBytes = 1_048_576
    package var mimeDepth = 100
    package var mimeParts = 10_000
    package var connectionMemory = 1_048_576
    package var loginFailuresPerConnection = 10
    /// Seconds within which a client has to have logged in.
    package var loginTimeout = 180
}

package struct RelaySettings: Sendable, Equatable {
    package enum SmarthostTLS: String, Sendable, CaseIterable {
        case none, opportunistic, starttls, implicit
    }

    package var enabled = true
    package var smarthost: String?
    package var smarthostPort: Port = 587
    package var smarthostUsername: String?
    package var smarthostPassword: String?
    package var smarthostTLS = SmarthostTLS.starttls
    package var port: Port = 25
    package var retrySchedule = [60, 300, 900, 1800, 3600, 14_400, 28_800, 86_400]
    package var workers = 8
    package var maxPerDestination = 4
    package var timeout = 60
    /// Each `address` or `address:port`; nil uses /etc/resolv.conf.
    package var nameservers: [String]?
}

package struct LMTPSettings: Sendable, Equatable {
    package var host = "127.0.0.1"
    package var port: Port?
}

package struct MetricsSettings: Sendable, Equatable {
    package var host = "127.0.0.1"
    package var port: Port?
}
