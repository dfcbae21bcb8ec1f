import DurableFiles
import Primitives

/// `status.json`: the state of a mailbox beyond its message files. Unknown keys are preserved.
struct MailboxStatus: Sendable, Equatable {
    var uidValidity: UInt32 = 0
    /// 128 random bits as 32 lower-case hex digits; RFC 8474's MAILBOXID.
    var mailboxID = ""
    var specialUse: String?
    /// Letter to keyword name.
    var keywords = KeywordTable()
    /// The incarnation of the change log; a log of another epoch is ignored. Nil in a store of the old program.
    var epoch: UInt64?
    /// Node id to the boot id under which that node last opened the mailbox.
    var boots: [String: String] = [:]
    /// The directory and the account in which the file was written; nil if it is not known.
    var place: MailboxPlace?
    /// No UID below this is assigned.
    var uidFloor: UInt64 = 1
    /// No UID at or above this is assigned before the ceiling is raised, durably.
    var uidCeiling: UInt64 = 1
    var modSeqFloor: ModSeq = 0
    var modSeqCeiling: ModSeq = 0
    /// The log's last mod-sequence when the mailbox was cleanly closed; nil while it is in use.
    var clean: ModSeq?
    /// The whole document as read, to preserve unknown keys.
    var document: JSONValue = .object([:])

    static let fileName = "status.json"
    static let uidStep: UInt64 = 1_000
    static let modSeqStep: UInt64 = 1_000_000
    /// The exclusive end of the UIDs that can be assigned.
    static let uidEnd = UInt64(UID.lastGiven.rawValue) + 1
    static let modSeqEnd: UInt64 = 1 << 63 - 1

    init() {}

    /// - Throws: `damaged` if a value has the wrong type.
    init(_ json: JSONValue) throws(StoreError) {
        guard json.object != nil else { throw StoreError(.damaged, "status.json is not an object") }
        document = json
        func number(_ key: String) throws(StoreError) -> UInt64? {
            guard let value = json[key], value != .null else { return nil }
            guard let n = value.unsignedInteger else {
                throw StoreError(.damaged, "\(key) in status.json is not a whole number")
            }
            return n
        }
        guard let validity = try number("uid_validity"), validity > 0, validity <= UInt64(UInt32.max) else {
            throw StoreError(.damaged, "uid_validity in status.json is missing or out of range")
        }
        uidValidity = UInt32(validity)
        let next = try number("uid_next") ?? 1
        mailboxID = json["mailbox_id"]?.string ?? ""
        specialUse = json["special_use"]?.string
        keywords = KeywordTable(json["keywords"])
        epoch = (json["epoch"]?.string).flatMap { UInt64($0, radix: 16) }
        boots = (json["boots"]?.object ?? [:]).compactMapValues(\.string)
        place = MailboxPlace(json["place"])
        uidFloor = max(1, try number("uid_floor") ?? next)
        uidCeiling = min(max(try number("uid_ceiling") ?? next, next, uidFloor), Self.uidEnd)
        modSeqFloor = try number("modseq_floor") ?? 0
        modSeqCeiling = min(try number("modseq_ceiling") ?? 0, Self.modSeqEnd)
        clean = try number("clean")
    }

    /// The document with this status merged in.
    var json: JSONValue {
        var o = document.object ?? [:]
        o["uid_validity"] = .uint(UInt64(uidValidity))
        o["uid_next"] = .uint(uidCeiling)
        o["mailbox_id"] = .string(mailboxID)
        if let specialUse { o["special_use"] = .string(specialUse) } else { o["special_use"] = nil }
        // Preserves letters that a later program may use.
        var letters = (document["keywords"]?.object ?? [:]).filter { !KeywordTable.isLetter($0.key) }
        letters.merge(keywords.json.object ?? [:]) { _, mine in mine }
        o["keywords"] = .object(letters)
        if let epoch { o["epoch"] = .string(Hex.encode(epoch)) }
        o["boots"] = .object(boots.mapValues { .string($0) })
        if let place { o["place"] = place.json }
        o["uid_floor"] = .uint(uidFloor)
        o["uid_ceiling"] = .uint(uidCeiling)
        o["modseq_floor"] = .uint(modSeqFloor)
        o["modseq_ceiling"] = .uint(modSeqCeiling)
        if let clean { o["clean"] = .uint(clean) } else { o["clean"] = nil }
        return .object(o)
    }

    /// - Throws: `damaged`.
    init(parsing bytes: [UInt8]) throws(StoreError) {
        try self.init(JSONValue.stored(bytes, name: Self.fileName))
    }

    /// The bytes of the file.
    func serialized() throws(StoreError) -> [UInt8] { try json.storable() }

    static func randomID() -> String {
        Hex.encode(SystemCalls.random(UInt64.self)) + Hex.encode(SystemCalls.random(UInt64.self))
    }
}

/// The keyword names of a mailbox, each represented by a letter in its file names.
public struct KeywordTable: Hashable, Sendable {
    /// Letter to name, as in status.json.
    public private(set) var names: [UInt8: String] = [:]

    public init() {}

    init(_ json: JSONValue?) {
        for (letter, name) in json?.object ?? [:] {
            let bytes = Array(letter.utf8)
            if bytes.count == 1, let name = name.string { set(bytes[0], name) }
        }
    }

    var json: JSONValue {
        .object(
            Dictionary(uniqueKeysWithValues: names.map { (String(UnicodeScalar($0.key)), JSONValue.string($0.value)) }))
    }

    /// The maximum number of keywords in a mailbox.
    public static var maximum: Int { MessageFlags.keywordLetters.count }
    /// The maximum length of a keyword name in bytes.
    public static let maximumNameLength = 64

    /// Whether a name is a valid keyword: an atom (RFC 9051) of 1 to 64 bytes without `\`.
    public static func isValid(_ name: String) -> Bool {
        let bytes = name.utf8
        guard !bytes.isEmpty, bytes.count <= maximumNameLength else { return false }
        return bytes.allSatisfy { b in
            b > 0x20 && b < 0x7F && !#"(){%*"\]"#.utf8.contains(b)
        }
    }

    /// The bit of a name, ignoring ASCII case; nil if it has none.
    public func flag(_ name: String) -> MessageFlags? {
        let wanted = name.lowercased()
        // The first of its letters, should two files have given it two.
        return names.lazy.filter { $0.value.lowercased() == wanted }.map(\.key).min().map { MessageFlags(letter: $0) }
    }

    /// The letters that have a name.
    public var letters: MessageFlags { names.keys.reduce([]) { $0.union(MessageFlags(letter: $1)) } }

    /// The letters that `other` names otherwise, or not at all.
    public func reassigned(in other: KeywordTable) -> MessageFlags {
        names.reduce([]) { other.names[$1.key] == $1.value ? $0 : $0.union(MessageFlags(letter: $1.key)) }
    }

    /// The names of the keywords in `flags`, in the order of their letters. A letter whose name was lost in both places
    /// that hold it is shown as `keyword-b`.
    public func names(in flags: MessageFlags) -> [String] {
        flags.intersection(.keywordMask).letters.utf8.map { names[$0] ?? Self.substitute(for: $0) }
    }

    /// The name of a letter whose own is lost.
    static func substitute(for letter: UInt8) -> String { "keyword-\(Character(UnicodeScalar(letter)))" }

    public var isFull: Bool { names.count >= Self.maximum }

    /// Returns the letter of a name, assigning the next free one if it has none; nil if none is free. `taken` are letters
    /// that messages have without a name.
    mutating func add(_ name: String, sparing taken: MessageFlags = []) -> MessageFlags? {
        if let known = flag(name) { return known }
        guard
            let letter = MessageFlags.keywordLetters.first(where: {
                names[$0] == nil && taken.isDisjoint(with: MessageFlags(letter: $0))
            })
        else { return nil }
        names[letter] = name
        return MessageFlags(letter: letter)
    }

    /// Adds the letters of `other` that this table lacks.
    mutating func merge(_ other: KeywordTable) { names.merge(other.names) { mine, _ in mine } }

    mutating func remove(_ letters: MessageFlags) {
        for letter in letters.intersection(.keywordMask).letters.utf8 { names[letter] = nil }
    }

    /// Whether a key of `keywords` in status.json is a keyword letter of this version.
    static func isLetter(_ key: String) -> Bool {
        key.utf8.count == 1 && MessageFlags.keywordLetters.contains(key.utf8.first!)
    }

    /// Adds a pair from a file; an invalid one is skipped.
    mutating func set(_ letter: UInt8, _ name: String) {
        if MessageFlags.keywordLetters.contains(letter), Self.isValid(name) { names[letter] = name }
    }
}
