import MailAccess
import ServerRuntime
import ShardFS

/// A mailbox pattern of LIST: `*` matches any text, `%` any text without a separator. RFC 9051 section 6.3.9.
struct ListPattern {
    private let pattern: [UInt8]
    /// Octets that stand for themselves: a shorter name cannot match.
    private let literals: Int

    /// Creates a pattern, composed (NFC) as stored names are, whatever the client wrote.
    ///
    /// - Parameter reference: prepended to the pattern unchanged.
    init(reference: String, _ pattern: String) {
        // A run of wildcards means no more than the strongest of them.
        var kept: [UInt8] = []
        for byte in MailboxName.composed(reference + pattern).utf8 {
            if let last = kept.last, Self.isWildcard(last), Self.isWildcard(byte) {
                if byte == Self.star { kept[kept.count - 1] = byte }
            } else {
                kept.append(byte)
            }
        }
        self.pattern = kept
        literals = kept.count { !Self.isWildcard($0) }
    }

    private static let star = UInt8(ascii: "*")
    private static let percent = UInt8(ascii: "%")
    private static let separator = UInt8(ascii: "/")

    private static func isWildcard(_ byte: UInt8) -> Bool { byte == star || byte == percent }

    /// What ``matches(_:)`` may cost, in units of work.
    func work(on name: String) -> Int {
        let length = name.utf8.count
        return literals <= length ? 16 + length * pattern.count : 1
    }

    /// Whether the whole name matches, comparing a first level INBOX without case. The time is at most proportional to
    /// the product of the lengths, whatever the pattern.
    func matches(_ name: String) -> Bool {
        guard literals <= name.utf8.count else { return false }
        let name = Array(name.utf8)
        let isBelowInbox = name.starts(with: "INBOX".utf8) && (name.count == 5 || name[5] == Self.separator)
        let folded = isBelowInbox ? 5 : 0
        // reached[i]: the pattern up to here can match the first i bytes of the name.
        var reached = [Bool](repeating: false, count: name.count + 1)
        reached[0] = true
        for byte in pattern {
            if Self.isWildcard(byte) {
                for index in name.indices where reached[index] {
                    if byte == Self.star || name[index] != Self.separator { reached[index + 1] = true }
                }
            } else {
                var isPossible = false
                // Downwards, so that each place is still what it was before this byte.
                for index in name.indices.reversed() {
                    // Upper and lower case of a letter differ in one bit.
                    let isSame = name[index] == byte || index < folded && name[index] == byte & 0xDF
                    reached[index + 1] = reached[index] && isSame
                    if reached[index + 1] { isPossible = true }
                }
                guard isPossible else { return false }
                reached[0] = false
            }
        }
        return reached[name.count]
    }

    /// Returns the levels above `name` that match, whether or not `name` does, top level first.
    func matchingAncestors(of name: String) throws(StoreError) -> [String] {
        var found: [String] = []
        for index in name.utf8.indices where name.utf8[index] == Self.separator {
            let ancestor = String(name[..<index])
            try Turn.use(work(on: ancestor))
            if matches(ancestor) { found.append(ancestor) }
        }
        return found
    }
}
