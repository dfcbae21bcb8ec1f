import IMAPCodec
package import MIME
import MailAccounts

/// The settings of a session; sizes in octets.
package struct IMAPSessionConfiguration: Sendable {
    /// The name in the greeting.
    package var hostname: String
    /// The program's version, reported by ID.
    package var version = ""
    /// True when TLS is configured: STARTTLS is offered, and login requires TLS.
    package var offersTLS: Bool
    /// The largest message that APPEND takes (`imap.max_literal_size`).
    package var maxLiteralSize = 52_428_800
    /// The longest command line (`limits.imap_line`).
    package var maxLineLength = 65_536
    /// Keys of one search (`limits.search_keys`).
    package var maxSearchKeys = 10_000
    /// Failed logins after which the connection is closed (`limits.login_failures_per_connection`).
    package var maxLoginFailures = 10
    /// Bad commands in a row after which the connection is closed.
    package var maxBadCommands = 20
    /// Maximum number of messages in one MULTIAPPEND.
    package var maxAppendMessages = 1_000
    /// Maximum number of mailboxes that a client may watch with NOTIFY; an account keeps that many open anyway.
    package var maxNotifyMailboxes = 256
    /// Limits on parsing a message (`limits.header_bytes`, `limits.mime_depth`, `limits.mime_parts`).
    package var parseLimits = ParseLimits.standard
    /// Memory that may be kept of messages under way (`limits.connection_memory`).
    package var memory = 1 << 20
    /// Maximum number of messages in one SORT, and of octets in their sort texts.
    package var maxSortedMessages = 500_000
    package var maxSortedTextBytes = 64 << 20
    /// Maximum number of messages in one THREAD, and of distinct message ids that they have or refer to.
    package var maxThreadedMessages = 250_000
    package var maxThreadedMessageIDs = 1_000_000
    /// Messages copied in one turn of COPY: all or none, even across kills and power cuts.
    var copyPiece = 4_096
    /// Messages changed in one turn of MOVE, STORE or EXPUNGE.
    var changePiece = 2_048
    /// Octets of responses buffered before they are sent.
    package var outputPiece = 131_072

    /// Capabilities hidden from all clients (`imap.suppress_capabilities`).
    package var suppressedCapabilities = CapabilityNames([])
    /// The server's half of a SCRAM exchange's nonce.
    var makeNonce: @Sendable () -> String = SCRAMExchange.randomNonce

    package init(hostname: String, offersTLS: Bool) {
        self.hostname = hostname
        self.offersTLS = offersTLS
    }

    /// Returns the codec's limits before or after login.
    func decoderOptions(authenticated: Bool) -> IMAPDecoderOptions {
        var options = IMAPDecoderOptions.unauthenticated
        guard authenticated else { return options }
        options = IMAPDecoderOptions()
        options.maximumLineLength = maxLineLength
        options.maximumLiteralBytes = maxLineLength
        options.maximumSearchKeys = maxSearchKeys
        options.maximumAppendSize = maxLiteralSize
        let (discard, overflow) = maxLiteralSize.addingReportingOverflow(1 << 24)
        options.maximumDiscard = overflow ? .max : discard
        return options
    }
}
