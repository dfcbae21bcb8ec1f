import IMAPCodec
import MailAccess
import ServerRuntime
import ShardFS

// STORE and UID STORE. RFC 9051 section 6.4.6, RFC 7162 section 3.1.3.

extension IMAPSession {
    func store(_ command: IMAPStoreCommand) async throws(IMAPFailure) -> Completion {
        let view = try selected()
        let ranges = try uidRanges(command.set, byUID: command.byUID, in: view)
        try command.flags.checkStorable()
        if command.unchangedSince != nil { enableModSeq() }
        beginProgress(goal: 0)
        var piece = StorePiece(
            command, first: ranges, size: configuration.changePiece, isShort: view.count(in: ranges) <= StorePiece.short
        )
        var modified: [UID] = []
        var isIncomplete = false
        var isAnyLeft = false
        var done = 0
        var isSynchronized = true
        repeat {
            if done > 0 { try await goOn(done: done) }
            let (now, before) = (try selected(), piece)
            let asked = updateScope(expunges: mayReportExpunges)
            let reportsModSeq = usesModSeq
            let kind: InlineWork.Kind? = piece.isShort ? .change : nil
            let (next, result, look) = try await blocking(inline: kind) { () throws(StoreError) in
                var piece = before
                let (result, look) = try piece.change(now, asked, reportsModSeq: reportsModSeq)
                return (piece, result, look)
            }
            piece = next
            context?.progress?.goal = piece.goal
            done += result.changed.count + result.missing.count + result.modified.count
            modified += result.modified
            if !result.missing.isEmpty { isIncomplete = true }
            if !result.changed.isEmpty { isAnyLeft = true }
            isSynchronized = look != nil
            if let look { try await take(look, after: now) }
        } while !piece.isLast
        context?.hasSentUpdates = isSynchronized
        if command.byUID { isIncomplete = false }
        guard modified.isEmpty else {
            let numbers = modified.map { command.byUID ? $0.rawValue : view.sequenceNumber(of: $0.rawValue) }
            let code = IMAPResponseCode.modified(.init(ascending: numbers.sorted()))
            // RFC 7162 section 3.1.3, example 11.
            if isIncomplete { throw .no(code, "Some of the messages no longer exist") }
            return Completion("Conditional STORE failed", code: code)
        }
        guard isIncomplete else { return Completion("STORE completed") }
        // Done for all messages that still exist; a silent client expects no response for any (RFC 2180 section 4.2).
        guard isAnyLeft || command.silent else { throw .expungeIssued }
        return Completion("STORE completed", code: .expungeIssued)
    }
}

/// The messages of a STORE changed in one turn on the pool.
private struct StorePiece: Sendable {
    private let command: IMAPStoreCommand
    private let ranges: [ClosedRange<UInt32>]
    private let size: Int
    /// The first UID not yet covered by a piece.
    private var next: UInt32 = 1
    private(set) var isLast = false
    /// Number of messages in all pieces.
    private(set) var goal = 0

    /// Few messages are changed altogether.
    let isShort: Bool

    /// Messages changed by a short one at the most.
    static let short = 4

    init(_ command: IMAPStoreCommand, first ranges: [ClosedRange<UInt32>], size: Int, isShort: Bool) {
        self.isShort = isShort
        self.command = command
        self.ranges = ranges
        self.size = size
    }

    /// Changes the next messages and checks for updates to send; the update is nil if the check failed, which does not
    /// undo the change. Blocks.
    mutating func change(
        _ view: SelectedMailbox, _ asked: IMAPSession.UpdateScope, reportsModSeq: Bool
    ) throws(StoreError) -> (FlagResult, IMAPSession.MailboxUpdate?) {
        let operation: FlagOperation =
            switch command.operation {
            case .replace: .replace
            case .add: .add
            case .remove: .remove
            }
        let found = view.page(of: ranges, from: next, limit: size + 1)
        let uids = found.prefix(size).map(\.entry.uid)
        if next == 1 { goal = found.count > size ? view.count(in: ranges) : found.count }
        let (result, change) = try view.mailbox.changeFlags(
            uids, operation, NamedFlags(command.flags), unchangedSince: command.unchangedSince)
        if found.count > size, let last = found.last { next = last.entry.uid.rawValue } else { isLast = true }
        // Letters that are other names' than the client has heard of.
        let reassigned = view.snapshot.keywords.reassigned(in: view.mailbox.keywords)
        let keywords = KeywordsByName(operation, command.flags, view)
        var own: [UpdateWriter.Own] = []
        for entry in result.changed {
            // A silent client works the flags out by itself; only others' changes need to be reported.
            let before = view.entry(of: entry.uid.rawValue)?.flags ?? []
            let isKnown =
                command.silent && before.isDisjoint(with: reassigned)
                && before.subtracting(change.remove).union(change.add) == entry.flags
                && keywords?.areKnown(of: entry, before) ?? true
            if !isKnown || reportsModSeq { own.append(.init(entry: entry, isKnown: isKnown)) }
        }
        let known = Dictionary(result.changed.map { ($0.uid.rawValue, $0.modSeq) }) { $1 }
        return (result, try? asked.look(at: view, known: known, own: own, withUID: command.byUID))
    }
}

/// The keywords of messages by name, where some have keywords without a letter.
private struct KeywordsByName {
    private let operation: FlagOperation
    private let names: Set<String>
    private let view: SelectedMailbox
    private let now: MailboxSnapshot

    /// Nil if letters are all.
    init?(_ operation: FlagOperation, _ flags: [IMAPFlag], _ view: SelectedMailbox) {
        now = view.mailbox.currentSnapshot()
        if now.extraKeywords.isEmpty, view.snapshot.extraKeywords.isEmpty { return nil }
        self.operation = operation
        self.view = view
        names = Set(NamedFlags(flags).keywords.map { $0.lowercased() })
    }

    /// Whether the client can work out a message's keywords after its change.
    func areKnown(of entry: MessageEntry, _ before: MessageFlags) -> Bool {
        let old = Self.names(view.snapshot, entry.uid, before)
        let expected =
            switch operation {
            case .add: old.union(names)
            case .remove: old.subtracting(names)
            case .replace: names
            }
        return Self.names(now, entry.uid, entry.flags) == expected
    }

    private static func names(_ snapshot: MailboxSnapshot, _ uid: UID, _ flags: MessageFlags) -> Set<String> {
        Set((snapshot.keywords.names(in: flags) + snapshot.extraKeywords.names(of: uid)).map { $0.lowercased() })
    }
}
