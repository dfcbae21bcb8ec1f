import Primitives
import Testing

@testable import ShardFS

/// A level of a mailbox tree as described by the conformance stores; nil for unknown values.
struct Level {
    var name: String
    var isSelectable = false
    var uidValidity: UInt64?
    var uidNext: UInt64?
    var mailboxID: String?
    var messages: [Message] = []
    /// One line for each expunged message that is kept.
    var expunged: [String] = []

    struct Message {
        /// UID, flags, keywords, size, and INTERNALDATE.
        var text: String
        var modSeq: UInt64?
        var digest: String?
    }

    init(name: String) { self.name = name }

    init(_ json: JSONValue) throws {
        name = try #require(json["mailbox"]?.string)
        isSelectable = json["selectable"] == .bool(true)
        guard isSelectable else { return }
        uidValidity = json["uid_validity"]?.unsignedInteger
        uidNext = try #require(json["uid_next"]?.unsignedInteger)
        mailboxID = json["mailbox_id"]?.string
        messages = try #require(json["messages"]?.array).map { message in
            Message(
                text: try Self.text(message), modSeq: message["modseq"]?.unsignedInteger,
                digest: message["digest"]?.string)
        }
        expunged = try #require(json["expunged"]?.array).map { message in
            let validity = try #require(message["uid_validity"]?.unsignedInteger)
            return "\(try #require(message["hour"]?.string)) \(validity).\(try Self.text(message, withFile: false))"
        }
    }

    private static func text(_ json: JSONValue, withFile: Bool = true) throws -> String {
        func texts(_ key: String) throws -> [String] { try #require(json[key]?.array).compactMap(\.string) }
        func number(_ key: String) throws -> UInt64 { try #require(json[key]?.unsignedInteger) }
        let text = "\(try number("uid")) \(try texts("flags")) \(try texts("keywords"))"
        return withFile ? "\(text) \(try number("size")) \(try number("internal_date"))" : text
    }

    /// - Parameter epoch: that of status.json before the mailbox was opened: another one now means that the mailbox was
    ///   recovered, and its mod-sequences are new.
    init(_ mailbox: Mailbox, named name: MailboxName, was epoch: String?) throws {
        let snapshot = try mailbox.snapshot()
        let now = mailbox.state.withLock { $0.log.epoch }
        let isAsItWas = epoch == Hex.encode(now)
        self.name = name.description
        isSelectable = true
        uidValidity = UInt64(snapshot.uidValidity)
        uidNext = UInt64(snapshot.uidNext.rawValue)
        mailboxID = snapshot.mailboxID
        messages = try snapshot.messages.map { entry in
            let extra = snapshot.extraKeywords.names(of: entry.uid)
            let text = "\(entry.uid) \(Self.lists(entry.flags, snapshot.keywords, extra))"
            let digest = try mailbox.details(entry).digest
            #expect(try mailbox.open(entry.uid).digest() == digest)
            return Message(
                text: "\(text) \(entry.size) \(try mailbox.internalDate(of: entry))",
                modSeq: isAsItWas ? entry.modSeq : nil, digest: digest.description)
        }
        expunged = try mailbox.recoverableMessages().map { message in
            let table = mailbox.state.withLock { $0.keywordFile.keywords[message.uidValidity] }
            let lists = Self.lists(message.flags, snapshot.keywords, table?.names(of: message.uid) ?? [])
            return "\(message.hour) \(message.uidValidity).\(message.uid) \(lists)"
        }.sorted()
    }

    private static func lists(_ flags: MessageFlags, _ keywords: KeywordTable, _ extra: [String]) -> String {
        let system: [(MessageFlags, String)] = [
            (.answered, #"\Answered"#), (.deleted, #"\Deleted"#), (.draft, #"\Draft"#), (.flagged, #"\Flagged"#),
            (.seen, #"\Seen"#),
        ]
        let own = keywords.names(in: flags)
        let known = Set(own.map { $0.lowercased() })
        let all = own + extra.filter { !known.contains($0.lowercased()) }
        let names = all.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        return "\(system.filter { flags.contains($0.0) }.map(\.1)) \(names)"
    }

    /// Describes the differences between two listings; values unknown to one of them are ignored.
    static func differences(_ expected: [Level], _ found: [Level]) -> [String] {
        var differing: [String] = []
        func compare<T: Equatable>(_ place: String, _ one: T?, _ other: T?, mayLack: Bool = true) {
            if mayLack, one == nil || other == nil { return }
            if one != other {
                differing.append("\(place): \(one.map { "\($0)" } ?? "-"), \(other.map { "\($0)" } ?? "-")")
            }
        }
        let all = Set(expected.map(\.name)).union(found.map(\.name)).sorted()
        for name in all {
            let one = expected.first { $0.name == name }
            let other = found.first { $0.name == name }
            compare(name, one?.isSelectable, other?.isSelectable, mayLack: false)
            guard let one, let other else { continue }
            compare("\(name) UIDVALIDITY", one.uidValidity, other.uidValidity)
            compare("\(name) UIDNEXT", one.uidNext, other.uidNext)
            compare("\(name) MAILBOXID", one.mailboxID, other.mailboxID)
            compare("\(name) expunged", one.expunged, other.expunged)
            compare(name, one.messages.map(\.text), other.messages.map(\.text))
            for (a, b) in zip(one.messages, other.messages) {
                compare("\(name) \(a.text) mod-sequence", a.modSeq, b.modSeq)
                compare("\(name) \(a.text) digest", a.digest, b.digest)
            }
        }
        return differing
    }
}
