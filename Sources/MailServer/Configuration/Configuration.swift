/// All settings of the server: plain values, each with a default that works.
///
/// `ConfigurationKey.all` maps every value to its key in config.json; what is not in that table cannot be set.
/// Sizes are in bytes and times in seconds unless a name says otherwise.
public struct Configuration: Sendable, Equatable {
    /// The server's full host name, for banners, `Received` fields and the certificate.
    public var hostname = "mail.example.com"
    /// The store's root directory. Absolute after reading.
    public var mailRoot = "./mailstore"
    /// Domains that are made when missing, lower case. A domain exists where its domain.json does.
    public var domains = ["example.com"]
    public var logLevel = LogLevel.info
    public var logFormat = LogFormat.text
    public var smtp = SMTPSettings()
    public var imap = IMAPSettings()
    public var exchangeAPI = ExchangeAPISettings()
    public var delivery = DeliverySettings()
    public var tls = TLSSettings()
    public var rateLimit = RateLimitSettings()
    public var storage = StorageSettings()
    public var index = IndexSettings()
    public var limits = LimitSettings()
    public var relay = RelaySettings()
    public var lmtp = LMTPSettings()
    public var metrics = MetricsSettings()

    public init() {}
}

/// Names and meaning as in Python's logging module.
public enum LogLevel: String, Sendable, CaseIterable {
    case debug = "DEBUG"
    case info = "INFO"
    case warning = "WARNING"
    case error = "ERROR"
    case critical = "CRITICAL"
}

public enum LogFormat: String, Sendable, CaseIterable {
    case text
    /// One JSON object a line.
    case json
}

/// A listener's port: nil turns the listener off, 0 takes a free port.
public typealias Port = UInt16

public struct SMTPSettings: Sendable, Equatable {
    public var host = "0.0.0.0"
    public var port: Port? = 25
    public var submissionPort: Port? = 587
    public var smtpsPort: Port? = 465
    public var maxMessageSize = 52_428_800
    public var maxRecipients = 50
    public var maxConnections = 100
    public var maxMessagesPerConnection = 50
}

public struct IMAPSettings: Sendable, Equatable {
    public var host = "0.0.0.0"
    public var port: Port? = 143
    public var imapsPort: Port? = 993
    public var maxConnections = 100
    public var maxLiteralSize = 52_428_800
    public var idleTimeout = 1800
    /// Capabilities that are not told to clients.
    public var suppressCapabilities: [String] = []
}

public struct ExchangeAPISettings: Sendable, Equatable {
    public var host = "0.0.0.0"
    public var port: Port? = 9002
    public var securePort: Port? = 9003
    /// HMAC key of the tokens; nil makes one and keeps it in `{mail_root}/token_secret`.
    public var tokenSecret: String?
    public var tokenLifetime = 3600
}

public struct DeliverySettings: Sendable, Equatable {
    public var workers = 4
}

public struct TLSSettings: Sendable, Equatable {
    public var enabled = true
    /// PEM; nil takes the self-signed certificate in `{mail_root}/tls`.
    public var certFile: String?
    public var keyFile: String?
}

public struct RateLimitSettings: Sendable, Equatable {
    public var enabled = true
    public var connectionRate = 20
    public var connectionPeriod = 60
    public var messageRate = 30
    public var messagePeriod = 60
    public var recipientRate = 100
    public var recipientPeriod = 60
    public var authFailureLimit = 5
    public var authFailureLockout = 600
    public var maxConcurrentPerIP = 10
    public var maxConcurrentIMAPPerIP = 50
    /// Addresses, or networks as `10.0.0.0/8`, that no limit applies to.
    public var whitelist = ["127.0.0.1", "::1"]
    public var maxTrackedIPs = 10_000
    public var cleanupInterval = 300

    public init() {}
}

public struct StorageSettings: Sendable, Equatable {
    public enum Durability: String, Sendable, CaseIterable {
        case full, messages, none
    }

    public var durability = Durability.messages
    public var expungeRetentionHours = 24
    /// Threads for blocking file work; nil is twice the cores, four at least.
    public var threads: Int?
    /// Node-local state. nil only until the configuration is resolved.
    public var statePath: String?
    /// This node's name among several machines; nil takes the random id kept in `statePath`.
    public var node: String?
    /// Several machines share the store; nil looks at the file system.
    public var shared: Bool?
}

public struct IndexSettings: Sendable, Equatable {
    public var enabled = true
    /// nil only until the configuration is resolved.
    public var path: String?
    public var maxSizeMB = 4096
}

public struct LimitSettings: Sendable, Equatable {
    public var lockWait = 10.0
    public var lockWaiters = 64
    public var imapLine = 65_536
    public var smtpLine = 4096
    public var headerBytes = 1_048_576
    public var mimeDepth = 100
    public var mimeParts = 10_000
    public var connectionMemory = 1_048_576
    public var loginFailuresPerConnection = 10
}

public struct RelaySettings: Sendable, Equatable {
    public enum SmarthostTLS: String, Sendable, CaseIterable {
        case none, opportunistic, starttls, implicit
    }

    public var enabled = true
    public var smarthost: String?
    public var smarthostPort: Port = 587
    public var smarthostUsername: String?
    public var smarthostPassword: String?
    public var smarthostTLS = SmarthostTLS.starttls
    public var port: Port = 25
    public var retrySchedule = [60, 300, 900, 1800, 3600, 14_400, 28_800, 86_400]
    public var workers = 8
    public var maxPerDestination = 4
    public var timeout = 60
    /// `address` or `address:port`; nil takes /etc/resolv.conf.
    public var nameservers: [String]?
}

public struct LMTPSettings: Sendable, Equatable {
    public var host = "127.0.0.1"
    public var port: Port?
}

public struct MetricsSettings: Sendable, Equatable {
    public var host = "127.0.0.1"
    public var port: Port?
}
