/// Bounds on what is taken from a hostile message; what lies beyond them is treated as opaque body, never as an error.
///
/// Every value is at least 1; `depth` is at most 1000 and `headerBytes` at most 1 GiB whatever is asked for.
public struct ParseLimits: Sendable, Equatable {
    /// Levels of nesting; the message itself is level 1, a part of a multipart or an embedded message one more each.
    public let depth: Int
    /// Parts of one message, embedded messages and multiparts counted.
    public let parts: Int
    /// Bytes of one header block, the blank line counted.
    public let headerBytes: Int
    /// Bytes of all header blocks of one message together, of which parts keep copies; at least `headerBytes`.
    public let allHeaderBytes: Int
    /// Entries taken from one kind of address field, group markers counted but for the last one.
    public let addresses: Int
    /// Parameters of one field, each segment of an RFC 2231 continuation counted.
    public let parameters: Int
    /// Addresses, parameters and language tags taken from one message in all, embedded messages counted: each costs
    /// many times the memory of the few bytes that it can be written with.
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
