import Primitives

/// `keywords.json`: the keywords of messages beyond the letters of their names. Durable before the done record of the
/// change, and right from the change's intent on.
struct KeywordFile: Sendable, Equatable {
    /// The last change of flags, for readers that have not seen its done records.
    struct Change: Sendable, Equatable {
        /// The token of the first of its intents, which are numbered.
        var token: UInt64
        var uids = UIDRanges()
        /// The keywords of these messages before it.
        var before = ExtraKeywords()
    }

    static let fileName = "keywords.json"
    /// The maximum number of extra keywords of a mailbox.
    static let maximumKeywords = 1_000
    static let maximumBytes = 4 << 20
    /// The intents of one change, numbered from its token on.
    private static let changeTokens: UInt64 = 1 << 16

    /// By UIDVALIDITY: expunged messages may be of an earlier one.
    var keywords: [UInt32: ExtraKeywords] = [:]
    var change: Change?
    /// Whether everything in the file could be read.
    private(set) var isWhole = true
    /// The whole document as read, to preserve unknown keys.
    private var document: JSONValue = .object([:])

    init() {}

    /// - Throws: `damaged`.
    init(parsing bytes: [UInt8]) throws(StoreError) {
        document = try JSONValue.stored(bytes, name: Self.fileName)
        guard let tables = document["keywords"]?.object else {
            throw StoreError(.damaged, "\(Self.fileName) has no keywords")
        }
        for (validity, table) in tables {
            guard let validity = UInt32(validity) else {
                isWhole = false
                continue
            }
            keywords[validity] = read(table)
        }
        if let change = document["change"] {
            guard let token = change["token"]?.string.flatMap({ UInt64($0, radix: 16) }),
                let uids = change["uids"]?.string.flatMap(UIDRanges.init)
            else {
                isWhole = false
                return
            }
            self.change = Change(token: token, uids: uids, before: read(change["before"] ?? .null))
        }
    }

    /// The bytes of the file.
    func serialized() throws(StoreError) -> [UInt8] {
        func json(_ table: ExtraKeywords) -> JSONValue {
            .object(Dictionary(table.keywords.map { ($0.name, .string($0.uids.text)) }) { $1 })
        }
        var o = document.object ?? [:]
        o["keywords"] = .object(
            Dictionary(keywords.lazy.filter { !$0.value.isEmpty }.map { ("\($0.key)", json($0.value)) }) { $1 })
        o["change"] = change.map {
            .object([
                "token": .string(Hex.encode($0.token)), "uids": .string($0.uids.text), "before": json($0.before),
            ])
        }
        return try JSONValue.object(o).storable()
    }

    private mutating func read(_ json: JSONValue) -> ExtraKeywords {
        var table = ExtraKeywords()
        for (name, uids) in json.object ?? [:] {
            let uids = uids.string.flatMap(UIDRanges.init)
            if !KeywordTable.isValid(name) || !table.add(name, uids ?? UIDRanges()) { isWhole = false }
        }
        return table
    }

    /// The keywords that a reader shows: of a message with an open intent of the file's change those before it.
    func shown(_ uidValidity: UInt32, pending: [UInt64: MailboxView.Intent]) -> ExtraKeywords {
        var table = keywords[uidValidity] ?? ExtraKeywords()
        guard let change else { return table }
        for (token, intent) in pending
        where intent.record.kind == .flags && intent.record.changesKeywords
            && token &- change.token < Self.changeTokens && change.uids.contains(intent.record.uid)
        {
            table.removeAll(intent.record.uid)
            for name in change.before.names(of: UID(intent.record.uid)) { table.insert(name, intent.record.uid) }
        }
        return table
    }

    /// Whether the file is within its limits.
    func fits(_ uidValidity: UInt32) -> Bool {
        // Quotes, indent and line end.
        func length(_ table: ExtraKeywords) -> Int {
            table.keywords.reduce(0) { $0 + $1.name.utf8.count + $1.uids.textLength + 20 }
        }
        let bytes = keywords.values.reduce(change.map { length($0.before) + $0.uids.textLength } ?? 0) {
            $0 + length($1)
        }
        return bytes < Self.maximumBytes && keywords[uidValidity]?.keywords.count ?? 0 <= Self.maximumKeywords
    }

    /// Keeps only the messages in `uids`: ascending, by UIDVALIDITY.
    mutating func keep(_ uids: [UInt32: [UInt32]]) {
        for validity in keywords.keys {
            keywords[validity]?.keep(uids[validity] ?? [])
            if keywords[validity]?.isEmpty ?? true { keywords[validity] = nil }
        }
    }
}

extension StoreFiles {
    /// Reads keywords.json; nil if there is none.
    /// - Throws: `damaged` if it is not to be read.
    func keywordFile(in directory: Int32) throws(StoreError) -> KeywordFile? {
        guard let bytes = try read(KeywordFile.fileName, in: directory) else { return nil }
        return try KeywordFile(parsing: bytes)
    }
}
