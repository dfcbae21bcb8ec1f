@testable import ShardFS

/// The expected state of a store in its simplest form: dictionaries, one change at a time.
struct ModelStore {
    struct Message: Equatable {
        var text: String
        /// Flags by name: letters differ between mailboxes.
        var flags: Set<String>
        var modSeq: ModSeq
    }

    struct Box {
        var messages: [UInt32: Message] = [:]
        /// Messages in `.expunged/`.
        var waiting: [UInt32: Message] = [:]
        /// All UIDs below this are taken.
        var nextUID: UInt32 = 1
        var highest: ModSeq = 0
        var recent: UInt32 = 1
        var client = Client()
    }

    /// A mail program that only asks for changes.
    struct Client {
        var known: [UInt32: Set<String>] = [:]
        var modSeq: ModSeq = 0
    }

    var boxes: [String: Box] = [:]
    /// Bytes by account; no entry means no limit.
    var limits: [String: Int] = [:]

    static func account(_ box: String) -> String { String(box.prefix { $0 != "/" }) }

    func bytes(_ account: String) -> Int {
        boxes.filter { Self.account($0.key) == account }.values.reduce(0) { sum, box in
            sum + box.messages.values.reduce(0) { $0 + $1.text.utf8.count }
        }
    }

    func count(_ account: String) -> Int {
        boxes.filter { Self.account($0.key) == account }.values.reduce(0) { $0 + $1.messages.count }
    }

    func hasRoom(_ account: String, _ bytes: Int) -> Bool {
        guard let limit = limits[account] else { return true }
        return self.bytes(account) + bytes <= limit
    }
}
