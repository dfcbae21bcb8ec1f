package import ShardFS

/// Messages that a command could not read, for the operator's log.
package struct UnreadableMessages: Sendable {
    package private(set) var count = 0
    /// The first ones and what was wrong with them.
    private var first: [String] = []

    /// Messages that are named.
    private static let named = 10

    package init() {}

    package var isEmpty: Bool { count == 0 }

    package mutating func note(_ uid: UID, _ error: StoreError) {
        count += 1
        if count <= Self.named { first.append("UID \(uid): \(error)") }
    }

    /// One line.
    package var description: String {
        let others = count > Self.named ? ["\(count - Self.named) more"] : []
        return (first + others).joined(separator: "; ")
    }
}

extension StoreError {
    /// Whether a failure to read a message says nothing about other messages of the mailbox.
    package var isOfOneMessage: Bool { code == .damaged || code == .system }
}
