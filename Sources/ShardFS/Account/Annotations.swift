import DurableFiles
import FoundationEssentials
import Primitives

/// A user's annotations of mailboxes and of the account: `metadata.json`. RFC 5464.
///
/// `{"account": {entry: value}, "mailboxes": {mailbox id: {entry: value}}}`. A value is a string, or `{"base64": …}` if
/// its bytes are not UTF-8. Other keys, and values of any other form, are preserved.
struct Annotations: Sendable {
    static let fileName = "metadata.json"

    let system: SystemCalls
    /// The account's directory.
    let directory: Int32
    /// Annotations of all subjects together.
    var maximum = 10_000

    /// The owner of an annotation.
    enum Subject: Hashable, Sendable {
        case account
        /// By the mailbox's id, so that a new mailbox does not inherit the annotations of an old one of the same name.
        case mailbox(String)
    }

    /// The annotations of one subject.
    /// - Throws: `damaged` if the file cannot be parsed.
    func list(_ subject: Subject) throws(StoreError) -> [String: [UInt8]] {
        Self.entries(of: subject, in: try load()).compactMapValues(Self.bytes)
    }

    /// The annotations of all subjects.
    /// - Throws: the errors of ``list(_:)``.
    func all() throws(StoreError) -> [Subject: [String: [UInt8]]] {
        let document = try load()
        var found: [Subject: [String: [UInt8]]] = [:]
        let ids = (document["mailboxes"]?.object ?? [:]).keys
        for subject in [.account] + ids.map({ Subject.mailbox($0) }) {
            found[subject] = Self.entries(of: subject, in: document).compactMapValues(Self.bytes)
        }
        return found
    }

    /// Sets and removes annotations, all or none; durable on return.
    /// - Parameter deadline: for the account's lock, monotonic nanoseconds.
    /// - Throws: `limit`, `damaged`.
    func change(
        _ subject: Subject, _ changes: [(entry: String, value: [UInt8]?)], until deadline: Int64
    ) throws(StoreError) {
        try change(until: deadline) { document throws(StoreError) in
            var entries = Self.entries(of: subject, in: document)
            for (entry, value) in changes {
                guard entry.utf8.count <= AnnotationLimits.entryLength, value?.count ?? 0 <= AnnotationLimits.valueSize
                else { throw StoreError(.limit, "an annotation is too long") }
                entries[entry] = value.map(Self.json)
            }
            guard entries.count <= AnnotationLimits.entries || changes.allSatisfy({ $0.value == nil }) else {
                throw StoreError(.limit, "a mailbox may have at most \(AnnotationLimits.entries) annotations")
            }
            Self.put(entries, of: subject, in: &document)
            guard Self.count(document) <= maximum || changes.allSatisfy({ $0.value == nil }) else {
                throw StoreError(.limit, "an account may have at most \(maximum) annotations")
            }
            guard Self.size(document) <= AnnotationLimits.total || changes.allSatisfy({ $0.value == nil }) else {
                throw StoreError(.limit, "an account's annotations may have at most \(AnnotationLimits.total) bytes")
            }
        }
    }

    /// Copies the annotations of `source` to `target`.
    func copy(from source: Subject, to target: Subject, until deadline: Int64) throws(StoreError) {
        let entries = try list(source)
        guard !entries.isEmpty else { return }
        try change(target, entries.map { ($0.key, $0.value) }, until: deadline)
    }

    /// Drops the annotations of mailboxes that are not among `ids`. The account's lock is held.
    func keep(_ ids: Set<String>) throws(StoreError) {
        var document = try load()
        guard let mailboxes = document["mailboxes"]?.object else { return }
        let kept = mailboxes.filter { ids.contains($0.key) }
        guard kept.count < mailboxes.count else { return }
        document["mailboxes"] = .object(kept)
        try store(document)
    }

    // MARK: The document

    private func load() throws(StoreError) -> [String: JSONValue] {
        guard let bytes = try system.files.read(Self.fileName, in: directory) else { return [:] }
        guard let document = try JSONValue.stored(bytes, name: Self.fileName).object else {
            throw StoreError(.damaged, "\(Self.fileName) is not an object")
        }
        for key in ["account", "mailboxes"] {
            guard let value = document[key], value != .null, value.object == nil else { continue }
            throw StoreError(.damaged, "\(key) in \(Self.fileName) is not an object")
        }
        return document
    }

    private func store(_ document: [String: JSONValue]) throws(StoreError) {
        let bytes = try JSONValue.object(document).storable()
        try system.files.publish(bytes, as: Self.fileName, in: directory)
    }

    private func change(
        until deadline: Int64, _ body: (inout [String: JSONValue]) throws(StoreError) -> Void
    ) throws(StoreError) {
        try system.files.hold(UIDValidityCounter.lockName, in: directory, until: deadline) {
            () throws(StoreError) in
            let old = try load()
            var document = old
            try body(&document)
            if document != old { try store(document) }
        }
    }

    private static func entries(of subject: Subject, in document: [String: JSONValue]) -> [String: JSONValue] {
        switch subject {
        case .account: document["account"]?.object ?? [:]
        case .mailbox(let id): document["mailboxes"]?[id]?.object ?? [:]
        }
    }

    private static func put(
        _ entries: [String: JSONValue], of subject: Subject, in document: inout [String: JSONValue]
    ) {
        switch subject {
        case .account: document["account"] = entries.isEmpty ? nil : .object(entries)
        case .mailbox(let id):
            var mailboxes = document["mailboxes"]?.object ?? [:]
            mailboxes[id] = entries.isEmpty ? nil : .object(entries)
            document["mailboxes"] = mailboxes.isEmpty ? nil : .object(mailboxes)
        }
    }

    private static func groups(_ document: [String: JSONValue]) -> [[String: JSONValue]] {
        [document["account"]?.object ?? [:]] + (document["mailboxes"]?.object ?? [:]).values.compactMap(\.object)
    }

    private static func count(_ document: [String: JSONValue]) -> Int { groups(document).reduce(0) { $0 + $1.count } }

    private static func size(_ document: [String: JSONValue]) -> Int {
        groups(document).reduce(0) { sum, group in
            group.reduce(sum) { $0 + $1.key.utf8.count + (bytes($1.value)?.count ?? 0) }
        }
    }

    private static func json(_ bytes: [UInt8]) -> JSONValue {
        if let text = String(validating: bytes, as: UTF8.self) { return .string(text) }
        return .object(["base64": .string(Data(bytes).base64EncodedString())])
    }

    /// The bytes of a stored value; nil if it has any other form.
    private static func bytes(_ value: JSONValue) -> [UInt8]? {
        if let text = value.string { return Array(text.utf8) }
        return value["base64"]?.string.flatMap { Data(base64Encoded: $0) }.map { Array($0) }
    }
}
