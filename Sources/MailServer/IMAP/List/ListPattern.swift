import ShardFS

/// A mailbox pattern of LIST: `*` is any text, `%` any text without a separator. RFC 9051 section 6.3.9.
struct ListPattern {
    private let pattern: [UInt8]

    /// Letters may be composed or not: names are kept composed, whatever the client wrote.
    ///
    /// - Parameter reference: stands in front of the pattern as it is.
    init(reference: String, _ pattern: String) {
        // Wildcards in a row mean no more than the strongest of them.
        var kept: [UInt8] = []
        for byte in MailboxName.composed(reference + pattern).utf8 {
            if let last = kept.last, Self.isWildcard(last), Self.isWildcard(byte) {
                if byte == Self.star { kept[kept.count - 1] = byte }
            } else {
                kept.append(byte)
            }
        }
        self.pattern = kept
    }

    private static let star = UInt8(ascii: "*")
    private static let percent = UInt8(ascii: "%")
    private static let separator = UInt8(ascii: "/")

    private static func isWildcard(_ byte: UInt8) -> Bool { byte == star || byte == percent }

    /// Whether a whole name matches; the level INBOX does in any case. Time is at most the product of the lengths, whatever the pattern.
    func matches(_ name: String) -> Bool {
        let name = Array(name.utf8)
        let isBelowInbox = name.starts(with: "INBOX".utf8) && (name.count == 5 || name[5] == Self.separator)
        let folded = isBelowInbox ? 5 : 0
        // reached[i]: the pattern up to here can stand for the first i bytes of the name.
        var reached = [Bool](repeating: false, count: name.count + 1)
        reached[0] = true
        for byte in pattern {
            if Self.isWildcard(byte) {
                for index in name.indices where reached[index] {
                    if byte == Self.star || name[index] != Self.separator { reached[index + 1] = true }
                }
            } else {
                var next = [Bool](repeating: false, count: name.count + 1)
                for index in name.indices where reached[index] {
                    // Upper and lower case of a letter differ in one bit.
                    let isSame = name[index] == byte || index < folded && name[index] == byte & 0xDF
                    if isSame { next[index + 1] = true }
                }
                reached = next
            }
        }
        return reached[name.count]
    }

    /// The levels above `name` that match though it may not itself, from the top.
    func matchingAncestors(of name: String) -> [String] {
        var found: [String] = []
        for index in name.utf8.indices where name.utf8[index] == Self.separator {
            let ancestor = String(name[..<index])
            if matches(ancestor) { found.append(ancestor) }
        }
        return found
    }
}
