import IMAPCodec
package import MIME
import MailAccounts

/// What a session needs to know; sizes in octets.
package struct IMAPSessionConfiguration: Sendable {
    /// The name in the greeting.
    package var hostname: String
    /// The program's version, told by ID.
    package var version = ""
    /// True when TLS is configured: STARTTLS is offered, and credentials wait for it.
    package var offersTLS: Bool
    /// The largest message that APPEND takes (`imap.max_literal_size`).
    package var maxLiteralSize = 52_428_800
    /// The longest command line (`limits.imap_line`).
    package var maxLineLength = 65_536
    /// Failed logins after which the connection is closed (`limits.login_failures_per_connection`).
    package var maxLoginFailures = 10
    /// Commands in a row that were no commands, after which the connection is closed.
    package var maxBadCommands = 20
    /// Messages of one MULTIAPPEND.
    package var maxAppendMessages = 1_000
    /// Mailboxes that a client may watch with NOTIFY, as many as an account keeps open anyhow.
    package var maxNotifyMailboxes = 256
    /// Bounds on what is taken from a message (`limits.header_bytes`, `limits.mime_depth`, `limits.mime_parts`).
    package var parseLimits = ParseLimits.standard
    /// Messages of one SORT, and octets of the texts that they are sorted by.
    package var maxSortedMessages = 500_000
    package var maxSortedTextBytes = 64 << 20
    /// Messages of one THREAD, and different message ids that they have or refer to.
    package var maxThreadedMessages = 250_000
    package var maxThreadedMessageIDs = 1_000_000
    /// Messages that one turn of a COPY copies, all or none through kills and power cuts.
    var copyPiece = 4_096
    /// Messages that one turn of a MOVE, STORE or EXPUNGE changes.
    var changePiece = 2_048
    /// Octets of answers that are gathered before they are handed to the client.
    package var outputPiece = 131_072

    /// Not told to any program (`imap.suppress_capabilities`).
    package var suppressedCapabilities = CapabilityNames([])
    /// The server's half of a SCRAM exchange's nonce.
    var makeNonce: @Sendable () -> String = SCRAMExchange.randomNonce

    package init(hostname: String, offersTLS: Bool) {
        self.hostname = hostname
        self.offersTLS = offersTLS
    }

    /// The codec's limits before and after a login.
    func decoderOptions(authenticated: Bool) -> IMAPDecoderOptions {
        var options = IMAPDecoderOptions.unauthenticated
        guard authenticated else { return options }
        options = IMAPDecoderOptions()
        options.maximumLineLength = maxLineLength
        options.maximumLiteralBytes = maxLineLength
        options.maximumAppendSize = maxLiteralSize
        let (discard, overflow) = maxLiteralSize.addingReportingOverflow(1 << 24)
        options.maximumDiscard = overflow ? .max : discard
        return options
    }
}
