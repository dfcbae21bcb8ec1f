/// The mailboxes that an account's user has subscribed to: `subscriptions.json`.
///
/// `{"mailboxes": [name, …]}`, or a bare list, which the next change turns into the first form. Other keys and entries
/// that are no mailbox names are kept. A subscribed mailbox need not exist (RFC 9051, 6.3.7).
struct Subscriptions: Sendable {
    static let fileName = "subscriptions.json"
    static let key = "mailboxes"
    /// So that no client fills the account's directory with names.
    static let maximum = 10_000

    let system: System
    /// The account's directory.
    let directory: Int32

    /// The names in the file's order, each once.
    /// - Throws: `damaged` when the file cannot be understood.
    func list() throws(StoreError) -> [MailboxName] {
        var seen: Set<MailboxName> = []
        return try load().entries.compactMap(Self.name).filter { seen.insert($0).inserted }
    }

    /// Subscribes; false when the name was there already.
    /// - Parameter deadline: for the account's lock, monotonic nanoseconds.
    /// - Throws: `limit` when the account has `maximum` entries, `damaged` for a file that would be lost.
    @discardableResult
    func add(_ name: MailboxName, until deadline: UInt64) throws(StoreError) -> Bool {
        try change(until: deadline) { entries throws(StoreError) in
            if entries.contains(where: { Self.name($0) == name }) { return false }
            guard entries.count < Self.maximum else {
                throw StoreError(.limit, "an account has at most \(Self.maximum) subscriptions")
            }
            entries.append(.string(name.description))
            return true
        }
    }

    /// Ends a subscription; false when there was none.
    /// - Parameter deadline: for the account's lock, monotonic nanoseconds.
    @discardableResult
    func remove(_ name: MailboxName, until deadline: UInt64) throws(StoreError) -> Bool {
        try change(until: deadline) { entries throws(StoreError) in
            let before = entries.count
            entries.removeAll { Self.name($0) == name }
            return entries.count < before
        }
    }

    private struct Document {
        var keys: [String: JSONValue]
        var entries: [JSONValue]
    }

    private static func name(_ entry: JSONValue) -> MailboxName? { entry.string.flatMap { try? MailboxName($0) } }

    private func load() throws(StoreError) -> Document {
        guard let bytes = try FilePublisher(system: system).read(Self.fileName, in: directory) else {
            return Document(keys: [:], entries: [])
        }
        let value = try JSONValue.parse(bytes, name: Self.fileName)
        if let entries = value.array { return Document(keys: [:], entries: entries) }
        guard let keys = value.object else {
            throw StoreError(.damaged, "\(Self.fileName) is neither a list nor an object")
        }
        switch keys[Self.key] {
        case nil, .null: return Document(keys: keys, entries: [])
        case .array(let entries): return Document(keys: keys, entries: entries)
        default: throw StoreError(.damaged, "\(Self.key) in \(Self.fileName) is not a list")
        }
    }

    private func change(
        until deadline: UInt64, _ body: (inout [JSONValue]) throws(StoreError) -> Bool
    ) throws(StoreError) -> Bool {
        try LockFile.hold(system, in: directory, UIDValidityCounter.lockName, until: deadline) {
            () throws(StoreError) in
            var document = try load()
            guard try body(&document.entries) else { return false }
            document.keys[Self.key] = .array(document.entries)
            let bytes = try JSONValue.object(document.keys).serialized()
            try FilePublisher(system: system).publish(bytes, as: Self.fileName, in: directory)
            return true
        }
    }
}
