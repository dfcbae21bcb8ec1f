package import IMAPCodec
import MIME
package import ShardFS

/// The data of a message used for threading.
package struct ThreadedMessage: Sendable {
    package var number: UInt32
    package var uid: UInt32
    /// Seconds since 1970.
    package var sentDate: Int64
    /// Nil without a base subject.
    package var subject: Fingerprint?
    package var isReplyOrForward = false
}

/// Collects the messages found by a THREAD. RFC 5256 section 3.
package struct ThreadCollector: SearchCollector {
    package enum Algorithm: Sendable { case references, orderedSubject }

    package struct Limits: Sendable {
        package var messages: Int
        package var messageIDs: Int

        package init(messages: Int, messageIDs: Int) {
            self.messages = messages
            self.messageIDs = messageIDs
        }
    }

    private let algorithm: Algorithm
    private let limits: Limits
    private var messages: [ThreadedMessage] = []
    private var forest = ReferenceForest()

    /// The number of references followed per message, nearest ancestors first.
    private static let longestAncestry = 1_000

    package init(_ algorithm: Algorithm, limits: Limits) {
        self.algorithm = algorithm
        self.limits = limits
    }

    package var cost: Int { 2 }
    package var readsHeader: Bool { true }

    package mutating func collect(_ candidate: inout SearchCandidate) throws(StoreError) {
        let (number, entry) = (candidate.number, candidate.entry)
        var reader = candidate.takeReader()
        defer { candidate.release(reader) }
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
            // Permanently gone: it becomes a separate thread, or joins the messages without a subject.
            guard error.code == .notFound else { throw error }
        }
        messages.append(message)
        guard algorithm == .references else { return }
        forest.add(ids.own, references: ids.references)
        guard forest.count <= limits.messageIDs else {
            throw StoreError(.limit, "at most \(limits.messageIDs) message IDs can be tracked")
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

    /// Computes the response. Can take long: not for an event loop.
    package func tokens(byUID: Bool) -> [IMAPThreadToken] {
        let tree =
            switch algorithm {
            case .references: ThreadTree(messages, linkedBy: forest)
            case .orderedSubject: ThreadTree(orderedSubjects: messages)
            }
        return tree.tokens { byUID ? messages[$0].uid : messages[$0].number }
    }
}
