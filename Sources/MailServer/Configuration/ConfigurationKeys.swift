import Primitives

extension ConfigurationKey {
    /// All keys, in the order of a new config.json.
    package static let all: [ConfigurationKey] =
        general + service + smtp + imap + exchangeAPI + delivery + tls + rateLimit + storage + index + limits + relay
        + others

    private static let general = [
        ConfigurationKey("hostname", \.hostname, .hostName),
        ConfigurationKey("mail_root", \.mailRoot, .path, restart: true),
        ConfigurationKey(
            "domains", \.domains, .list(of: .domain, "a list of domain names such as [\"example.com\"]")),
        ConfigurationKey("log_level", \.logLevel, .choice(ignoringCase: true)),
        ConfigurationKey("log_format", \.logFormat, .choice()),
    ]

    private static let service = [
        ConfigurationKey("service.user", \.service.user, .orNull(.systemName, "the user who starts it"), restart: true),
        ConfigurationKey("service.group", \.service.group, .orNull(.systemName, "the user's own"), restart: true),
    ]

    private static let smtp = [
        ConfigurationKey("smtp.host", \.smtp.host, .host, restart: true),
        ConfigurationKey("smtp.port", \.smtp.port, .orNull(.listenerPort, "off"), restart: true),
        ConfigurationKey("smtp.submission_port", \.smtp.submissionPort, .orNull(.listenerPort, "off"), restart: true),
        ConfigurationKey("smtp.smtps_port", \.smtp.smtpsPort, .orNull(.listenerPort, "off"), restart: true),
        ConfigurationKey("smtp.max_message_size", \.smtp.maxMessageSize, .integer(1024...4_294_967_295, "bytes")),
        ConfigurationKey("smtp.max_recipients", \.smtp.maxRecipients, .count),
        ConfigurationKey("smtp.max_connections", \.smtp.maxConnections, .count),
        ConfigurationKey("smtp.max_messages_per_connection", \.smtp.maxMessagesPerConnection, .count),
        ConfigurationKey(
            "smtp.public_addresses", \.smtp.publicAddresses,
            .list(
                of: .text("an address") { IPAddress($0) == nil ? nil : $0 },
                "a list of IP addresses such as [\"192.0.2.1\"]")),
    ]

    private static let imap = [
        ConfigurationKey("imap.host", \.imap.host, .host, restart: true),
        ConfigurationKey("imap.port", \.imap.port, .orNull(.listenerPort, "off"), restart: true),
        ConfigurationKey("imap.imaps_port", \.imap.imapsPort, .orNull(.listenerPort, "off"), restart: true),
        ConfigurationKey("imap.max_connections", \.imap.maxConnections, .count),
        ConfigurationKey("imap.max_literal_size", \.imap.maxLiteralSize, .integer(1024...4_294_967_295, "bytes")),
        ConfigurationKey("imap.idle_timeout", \.imap.idleTimeout, .integer(60...86_400, "seconds")),
        ConfigurationKey(
            "imap.suppress_capabilities", \.imap.suppressCapabilities,
            .list(of: .capability, "a list of IMAP capabilities such as [\"COMPRESS=DEFLATE\"]")),
    ]

    private static let exchangeAPI = [
        ConfigurationKey("exchange_api.host", \.exchangeAPI.host, .host, restart: true),
        ConfigurationKey("exchange_api.port", \.exchangeAPI.port, .orNull(.listenerPort, "off"), restart: true),
        ConfigurationKey(
            "exchange_api.secure_port", \.exchangeAPI.securePort, .orNull(.listenerPort, "off"), restart: true),
        ConfigurationKey(
            "exchange_api.token_secret", \.exchangeAPI.tokenSecret, .orNull(.secret, "one generated at first start"),
            secret: true),
        ConfigurationKey("exchange_api.token_lifetime", \.exchangeAPI.tokenLifetime, .seconds),
    ]

    private static let delivery = [
        ConfigurationKey("delivery.workers", \.delivery.workers, .integer(1...1024), restart: true)
    ]

    private static let tls = [
        ConfigurationKey("tls.enabled", \.tls.enabled, .flag, restart: true),
        ConfigurationKey("tls.cert_file", \.tls.certFile, .orNull(.path, "a self-signed certificate")),
        ConfigurationKey("tls.key_file", \.tls.keyFile, .orNull(.path, "a self-signed certificate")),
    ]

    private static let rateLimit = [
        ConfigurationKey("rate_limit.enabled", \.rateLimit.enabled, .flag),
        ConfigurationKey("rate_limit.connection_rate", \.rateLimit.connectionRate, .integer(1...10_000)),
        ConfigurationKey("rate_limit.connection_period", \.rateLimit.connectionPeriod, .integer(1...86_400, "seconds")),
        ConfigurationKey("rate_limit.message_rate", \.rateLimit.messageRate, .integer(1...10_000)),
        ConfigurationKey("rate_limit.message_period", \.rateLimit.messagePeriod, .integer(1...86_400, "seconds")),
        ConfigurationKey("rate_limit.recipient_rate", \.rateLimit.recipientRate, .integer(1...10_000)),
        ConfigurationKey("rate_limit.recipient_period", \.rateLimit.recipientPeriod, .integer(1...86_400, "seconds")),
        ConfigurationKey("rate_limit.auth_failure_limit", \.rateLimit.authFailureLimit, .integer(1...1000)),
        ConfigurationKey(
            "rate_limit.auth_failure_lockout", \.rateLimit.authFailureLockout, .integer(1...604_800, "seconds")),
        ConfigurationKey("rate_limit.max_concurrent_per_ip", \.rateLimit.maxConcurrentPerIP, .count),
        ConfigurationKey("rate_limit.max_concurrent_imap_per_ip", \.rateLimit.maxConcurrentIMAPPerIP, .count),
        ConfigurationKey("rate_limit.max_concurrent_per_account", \.rateLimit.maxConcurrentPerAccount, .count),
        ConfigurationKey("rate_limit.max_concurrent_imap_per_account", \.rateLimit.maxConcurrentIMAPPerAccount, .count),
        ConfigurationKey("rate_limit.reserved_percent", \.rateLimit.reservedPercent, .integer(0...90, "per cent")),
        ConfigurationKey("rate_limit.reserved_period", \.rateLimit.reservedPeriod, .integer(1...31_536_000, "seconds")),
        ConfigurationKey(
            "rate_limit.whitelist", \.rateLimit.whitelist,
            .list(
                of: .text("an address or network") { IPNetwork($0) == nil ? nil : $0 },
                "a list of IP addresses or networks such as [\"127.0.0.1\", \"10.0.0.0/8\"]")),
        ConfigurationKey("rate_limit.max_tracked_ips", \.rateLimit.maxTrackedIPs, .integer(16...10_000_000)),
        ConfigurationKey("rate_limit.cleanup_interval", \.rateLimit.cleanupInterval, .integer(1...86_400, "seconds")),
    ]

    private static let storage = [
        ConfigurationKey("storage.durability", \.storage.durability, .choice(), restart: true),
        ConfigurationKey(
            "storage.expunge_retention_hours", \.storage.expungeRetentionHours, .integer(0...87_600, "hours"),
            restart: true),
        ConfigurationKey(
            "storage.minimum_free_mb", \.storage.minimumFreeMB, .integer(0...1_000_000_000, "MiB"), restart: true),
        ConfigurationKey(
            "storage.minimum_free_files", \.storage.minimumFreeFiles, .integer(0...1_000_000_000), restart: true),
        ConfigurationKey(
            "storage.threads", \.storage.threads, .orNull(.integer(1...1024), "twice the core count"), restart: true),
        ConfigurationKey("storage.inline", \.storage.inline, .flag, restart: true),
        ConfigurationKey("storage.state_path", \.storage.statePath, .orNull(.path, "the default path"), restart: true),
        ConfigurationKey("storage.node", \.storage.node, .orNull(.nodeName, "a random one"), restart: true),
        ConfigurationKey(
            "storage.shared", \.storage.shared, .orNull(.flag, "detection from the file system"), restart: true),
    ]

    private static let index = [
        ConfigurationKey("index.enabled", \.index.enabled, .flag, restart: true),
        ConfigurationKey(
            "index.path", \.index.path, .orNull(.path, "a directory in storage.state_path"), restart: true),
        ConfigurationKey("index.max_size_mb", \.index.maxSizeMB, .integer(16...1_048_576, "MiB"), restart: true),
    ]

    private static let limits = [
        ConfigurationKey("limits.lock_wait", \.limits.lockWait, .number(0.1...600, "seconds"), restart: true),
        ConfigurationKey("limits.lock_waiters", \.limits.lockWaiters, .integer(1...65_536), restart: true),
        ConfigurationKey("limits.imap_line", \.limits.imapLine, .integer(1000...16_777_216, "bytes")),
        ConfigurationKey("limits.search_keys", \.limits.searchKeys, .integer(100...1_000_000)),
        ConfigurationKey("limits.mailboxes", \.limits.mailboxes, .integer(10...10_000_000), restart: true),
        ConfigurationKey("limits.subscriptions", \.limits.subscriptions, .integer(10...10_000_000), restart: true),
        ConfigurationKey("limits.annotations", \.limits.annotations, .integer(10...10_000_000), restart: true),
        ConfigurationKey("limits.smtp_line", \.limits.smtpLine, .integer(1000...1_048_576, "bytes")),
        // A longer address would not fit a line of the header, which has 998 bytes (RFC 5322 section 2.1.1).
        ConfigurationKey("limits.smtp_path", \.limits.smtpPath, .integer(256...960, "bytes")),
        ConfigurationKey("limits.header_bytes", \.limits.headerBytes, .integer(4096...67_108_864, "bytes")),
        ConfigurationKey("limits.mime_depth", \.limits.mimeDepth, .integer(1...1000)),
        ConfigurationKey("limits.mime_parts", \.limits.mimeParts, .count),
        ConfigurationKey(
            "limits.connection_memory", \.limits.connectionMemory, .integer(65_536...1_073_741_824, "bytes")),
        ConfigurationKey(
            "limits.login_failures_per_connection", \.limits.loginFailuresPerConnection, .integer(1...1000)),
        ConfigurationKey("limits.login_timeout", \.limits.loginTimeout, .integer(10...3600, "seconds")),
    ]

    private static let relay = [
        ConfigurationKey("relay.enabled", \.relay.enabled, .flag),
        ConfigurationKey("relay.smarthost", \.relay.smarthost, .orNull(.remoteHost, "delivery to MX hosts")),
        ConfigurationKey("relay.smarthost_port", \.relay.smarthostPort, .remotePort),
        ConfigurationKey("relay.smarthost_username", \.relay.smarthostUsername, .orNull(.nonEmpty, "no login")),
        ConfigurationKey(
            "relay.smarthost_password", \.relay.smarthostPassword, .orNull(.nonEmpty, "no login"), secret: true),
        ConfigurationKey("relay.smarthost_tls", \.relay.smarthostTLS, .choice()),
        ConfigurationKey("relay.port", \.relay.port, .remotePort),
        ConfigurationKey(
            "relay.retry_schedule", \.relay.retrySchedule,
            .list(of: .integer(1...2_592_000), "a list of seconds between attempts, each 1 to 2592000", minimum: 1)),
        ConfigurationKey("relay.workers", \.relay.workers, .integer(1...1024), restart: true),
        ConfigurationKey("relay.max_per_destination", \.relay.maxPerDestination, .integer(1...1024)),
        ConfigurationKey("relay.timeout", \.relay.timeout, .integer(1...3600, "seconds")),
        ConfigurationKey(
            "relay.nameservers", \.relay.nameservers,
            .orNull(
                .list(
                    of: .text("an address") { NameserverAddress.isValid($0) ? $0 : nil },
                    "a list of addresses such as [\"127.0.0.1:5353\"]", minimum: 1), "the servers in /etc/resolv.conf")),
    ]

    private static let others = [
        ConfigurationKey("lmtp.host", \.lmtp.host, .host, restart: true),
        ConfigurationKey("lmtp.port", \.lmtp.port, .orNull(.listenerPort, "off"), restart: true),
        ConfigurationKey("metrics.host", \.metrics.host, .host, restart: true),
        ConfigurationKey("metrics.port", \.metrics.port, .orNull(.listenerPort, "off"), restart: true),
    ]
}

/// The syntax of a name server in `relay.nameservers`: `192.0.2.1`, `192.0.2.1:53`, `2001:db8::1` or
/// `[2001:db8::1]:53`.
package enum NameserverAddress {
    package static func isValid(_ text: String) -> Bool {
        if HostName.isAddress(text) { return true }
        guard let colon = text.lastIndex(of: ":"), let port = Port(text[text.index(after: colon)...]), port > 0 else {
            return false
        }
        var host = text[..<colon]
        guard host.first == "[" else { return HostName.isAddress(String(host)) && !host.contains(":") }
        host.removeFirst()
        guard host.popLast() == "]" else { return false }
        return HostName.isAddress(String(host))
    }
}
