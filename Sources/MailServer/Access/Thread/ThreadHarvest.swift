import IMAPCodec
import MIME
import ShardFS

/// A message as threading sees it.
struct ThreadedMessage: Sendable {
    var number: UInt32
    var uid: UInt32
    /// Seconds since 1970.
    var sentDate: Int64
    /// Nil without a base subject.
    var subject: Fingerprint?
    var isReplyOrForward = false
}

/// What THREAD keeps of the messages found. RFC 5256 section 3.
struct ThreadHarvest: SearchHarvest {
    enum Algorithm: Sendable { case references, orderedSubject }

    struct Limits: Sendable {
        var messages: Int
        var messageIDs: Int
    }

    private let algorithm: Algorithm
    private let limits: Limits
    private var messages: [ThreadedMessage] = []
    private var forest = ReferenceForest()

    /// References of one message that are followed, the nearest ones.
    private static let longestAncestry = 1_000

    init(_ algorithm: Algorithm, limits: Limits) {
        self.algorithm = algorithm
        self.limits = limits
    }

    var cost: Int { 2 }
    var readsHeader: Bool { true }

    mutating func take(_ candidate: inout SearchCandidate) throws(StoreError) {
        let (number, entry) = (candidate.number, candidate.entry)
        var reader = candidate.takeReader()
        defer { candidate.giveBack(reader) }
        guard messages.count < limits.messages else {
            throw StoreError(.limit, "at most \(limits.messages) messages can be threaded")
        }
        var message = ThreadedMessage(number: number, uid: entry.uid.rawValue, sentDate: 0)
        var ids: (own: Fingerprint?, references: [Fingerprint]) = (nil, [])
        do throws(StoreError) {
            message.sentDate = try reader.sentDate(of: entry)
            let subject = try reader.baseSubject()
            if !subject.text.isEmpty { message.subject = Fingerprint(UnicodeCasemap.key(subject.text), as: .subject) }
            message.isReplyOrForward = subject.isReplyOrForward
            if algorithm == .references { ids = try Self.ids(&reader) }
        } catch {
            // Gone for good: a thread of its own, or one of those without a subject.
            guard error.code == .notFound else { throw error }
        }
        messages.append(message)
        guard algorithm == .references else { return }
        forest.add(ids.own, references: ids.references)
        guard forest.count <= limits.messageIDs else {
            throw StoreError(.limit, "at most \(limits.messageIDs) message ids can be followed")
        }
    }

    private static func ids(
        _ reader: inout MessageReader
    ) throws(StoreError) -> (own: Fingerprint?, references: [Fingerprint]) {
        let (bytes, block) = try reader.header(for: ["references", "in-reply-to", "message-id"])
        func ids(_ field: String) -> MessageIDs { MessageIDs(block.value(of: field, in: bytes.span) ?? []) }
        var references = ids("references").map { Fingerprint($0, as: .messageID) }
        if references.isEmpty { references = ids("in-reply-to").prefix(1).map { Fingerprint($0, as: .messageID) } }
        var own = ids("message-id")
        return (own.next().map { Fingerprint($0, as: .messageID) }, references.suffix(longestAncestry))
    }

    /// The answer. Takes its time: not on an event loop.
    func tokens(byUID: Bool) -> [IMAPThreadToken] {
        let tree =
            switch algorithm {
            case .references: ThreadTree(messages, linkedBy: forest)
            case .orderedSubject: ThreadTree(orderedSubjects: messages)
            }
        return tree.tokens { byUID ? messages[$0].uid : messages[$0].number }
    }
}
