import DurableFiles
import Primitives

/// The subscriptions of an account's user: `subscriptions.json`.
///
/// `{"mailboxes": [name, …]}`, or a bare list, which the next change converts to the first form. Other keys, and
/// entries that are not mailbox names, are preserved. A subscribed mailbox need not exist (RFC 9051, 6.3.7).
struct Subscriptions: Sendable {
    static let fileName = "subscriptions.json"
    static let key = "mailboxes"

    let system: SystemCalls
    /// The account's directory.
    let directory: Int32
    /// Keeps a client from filling the account's directory with names.
    var maximum = 10_000

    /// The names in file order, each once; empty if there is no file.
    /// - Throws: `damaged` if the file cannot be parsed.
    func list() throws(StoreError) -> [MailboxName] {
        try stored() ?? []
    }

    /// Like `list()`, but nil if there is no file.
    func stored() throws(StoreError) -> [MailboxName]? {
        var seen: Set<MailboxName> = []
        return try load()?.entries.compactMap(Self.name).filter { seen.insert($0).inserted }
    }

    /// Subscribes to a mailbox; false if it was subscribed already.
    /// - Parameters:
    ///   - deadline: for the account's lock, monotonic nanoseconds.
    ///   - initial: returns the names that count as subscribed while there is no file; called under the account's lock.
    /// - Throws: `limit` beyond `maximum` entries; `damaged` for a file that would be lost.
    @discardableResult
    func add(
        _ name: MailboxName, until deadline: Int64, initial: Initial = { () throws(StoreError) in [] }
    ) throws(StoreError) -> Bool {
        try add([name], until: deadline, initial: initial)
    }

    /// Subscribes to all of `names` at once; false if all were subscribed already.
    @discardableResult
    func add(
        _ names: [MailboxName], until deadline: Int64, initial: Initial = { () throws(StoreError) in [] }
    ) throws(StoreError) -> Bool {
        try change(until: deadline, initial) { entries throws(StoreError) in
            let known = Set(entries.compactMap(Self.name))
            let new = names.filter { !known.contains($0) }
            guard entries.count + new.count <= maximum || new.isEmpty else {
                throw StoreError(.limit, "an account may have at most \(maximum) subscriptions")
            }
            entries += new.map { .string($0.description) }
            return !new.isEmpty
        }
    }

    /// Ends a subscription; false if there was none.
    /// - Parameter deadline: for the account's lock, monotonic nanoseconds.
    @discardableResult
    func remove(
        _ name: MailboxName, until deadline: Int64, initial: Initial = { () throws(StoreError) in [] }
    ) throws(StoreError) -> Bool {
        try change(until: deadline, initial) { entries throws(StoreError) in
            let before = entries.count
            entries.removeAll { Self.name($0) == name }
            return entries.count < before
        }
    }

    typealias Initial = () throws(StoreError) -> [MailboxName]

    private struct Document {
        var keys: [String: JSONValue]
        var entries: [JSONValue]
    }

    private static func name(_ entry: JSONValue) -> MailboxName? { entry.string.flatMap { try? MailboxName($0) } }

    /// The document; nil if there is no file.
    private func load() throws(StoreError) -> Document? {
        guard let bytes = try system.files.read(Self.fileName, in: directory) else { return nil }
        let value = try JSONValue.stored(bytes, name: Self.fileName)
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
        until deadline: Int64, _ initial: Initial, _ body: (inout [JSONValue]) throws(StoreError) -> Bool
    ) throws(StoreError) -> Bool {
        try system.files.hold(UIDValidityCounter.lockName, in: directory, until: deadline) {
            () throws(StoreError) in
            var document: Document
            if let stored = try load() {
                document = stored
            } else {
                document = Document(keys: [:], entries: try initial().map { .string($0.description) })
            }
            guard try body(&document.entries) else { return false }
            document.keys[Self.key] = .array(document.entries)
            let bytes = try JSONValue.object(document.keys).storable()
            try system.files.publish(bytes, as: Self.fileName, in: directory)
            return true
        }
    }
}
