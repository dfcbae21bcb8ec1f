/// Bounds on parsing a hostile message; anything beyond them is treated as opaque body, never as an error.
///
/// Every value is at least 1; `depth` is capped at 1000 and `headerBytes` at 1 GiB.
public struct ParseLimits: Sendable, Equatable {
    /// Levels of nesting; the message itself is level 1, each part of a multipart or embedded message one more.
    public let depth: Int
    /// Parts of one message, including embedded messages and multiparts.
    public let parts: Int
    /// Bytes of one header block, including the blank line.
    public let headerBytes: Int
    /// Bytes of all header blocks of one message together, of which parts keep copies; at least `headerBytes`.
    public let allHeaderBytes: Int
    /// Entries taken from one kind of address field, including group markers except for the last one.
    public let addresses: Int
    /// Parameters of one field; each segment of an RFC 2231 continuation counts.
    public let parameters: Int
    /// Addresses, parameters and language tags taken from one message in all, including embedded messages: each can be
    /// written in a few bytes and takes many times their memory.
    public let entries: Int

    public init(
        depth: Int = 100,
        parts: Int = 10_000,
        headerBytes: Int = 1 << 20,
        addresses: Int = 10_000,
        parameters: Int = 256,
        entries: Int = 100_000,
        allHeaderBytes: Int = 16 << 20
    ) {
        // A tree is a recursive value: freeing it and walking it use stack in proportion to its depth.
        self.depth = min(max(depth, 1), 1000)
        self.parts = max(parts, 1)
        self.headerBytes = min(max(headerBytes, 1), 1 << 30)
        self.allHeaderBytes = max(allHeaderBytes, self.headerBytes)
        self.addresses = max(addresses, 1)
        self.parameters = max(parameters, 1)
        self.entries = max(entries, 1)
    }

    /// The defaults.
    public static let standard = ParseLimits()
}
