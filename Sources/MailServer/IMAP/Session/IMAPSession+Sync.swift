import IMAPCodec
import MailAccess
import NIOCore
import ShardFS

// Telling the client what happened in its mailbox meanwhile. RFC 3501 section 5.2, RFC 7162 section 3.2.

extension IMAPSession {
    /// Brings the selected mailbox's view up to date and tells the client the news. Nothing without one.
    ///
    /// - Parameter known: changes that the client has been told of or made itself, by UID.
    func sync(expunges: Bool, known: [UInt32: ModSeq] = [:]) async throws(IMAPFailure) {
        guard case .selected(_, let view) = state else { return }
        let asked = updateScope(expunges: expunges)
        try await take(
            blocking { () throws(StoreError) in try asked.look(at: view, known: known) }, after: view)
    }

    /// Which news a client may be told, and how.
    struct UpdateScope: Sendable {
        /// False for a client that has chosen to hear nothing of its mailbox (RFC 5465 section 5.1).
        fileprivate let any: Bool
        fileprivate let expunges: Bool
        fileprivate let form: UpdateForm
        fileprivate let limit: Int

        /// What the engine says now; nothing has been told yet. Blocks.
        ///
        /// - Parameters:
        ///   - known: as for ``IMAPSession/sync(expunges:known:)``.
        ///   - own: changes of the client's own command, to be told behind what others did.
        ///   - withUID: whether that is a UID command.
        func look(
            at view: SelectedMailbox, known: [UInt32: ModSeq], own: [UpdateWriter.Own] = [], withUID: Bool = false
        ) throws(StoreError) -> MailboxUpdate {
            guard any else { return .none }
            var new: MailboxSnapshot
            do throws(StoreError) {
                new = try view.mailbox.snapshot()
            } catch {
                if error.code == .gone { return .gone }
                throw error
            }
            var view = view
            var recentFrom = UInt32.max
            if let last = new.messages.last?.uid.rawValue, last > view.lastUID {
                recentFrom = new.recentUID.rawValue
                if !view.isReadOnly, recentFrom <= last {
                    recentFrom = try view.mailbox.takeRecent().rawValue
                    new = view.mailbox.currentSnapshot()
                }
            }
            if !form.usesRecent { recentFrom = .max }
            let reported = view.lastUID
            guard let update = view.update(to: new, expunges: expunges, recentFrom: recentFrom) else { return .gone }
            var form = form
            if withUID { form.reportsUIDs = true }
            var producer = UpdateWriter(update, of: view, known: known, form: form)
            producer.add(own: own, withUID: withUID)
            var seen = ShownUpdate(
                view: view, hasExpunged: !update.expunged.isEmpty, arrivedAfter: update.exists == nil ? nil : reported,
                piece: UpdatePiece(producer))
            seen.piece.next(limit: limit)
            return .seen(seen)
        }
    }

    /// The outcome of a look.
    enum MailboxUpdate: Sendable {
        case none
        /// The mailbox was deleted, or is another one now.
        case gone
        case seen(ShownUpdate)
    }

    /// What a look has seen, the first piece of it written.
    struct ShownUpdate: Sendable {
        let view: SelectedMailbox
        fileprivate let hasExpunged: Bool
        /// The highest UID told before, when messages have arrived.
        fileprivate let arrivedAfter: UInt32?
        fileprivate var piece: UpdatePiece
    }

    /// A piece of news, and what makes those behind it.
    struct UpdatePiece: Sendable {
        private var producer: UpdateWriter
        private(set) var bytes = ByteBuffer()
        private(set) var isLast = false

        init(_ producer: UpdateWriter) { self.producer = producer }

        mutating func next(limit: Int) {
            bytes = ByteBuffer()
            isLast = producer.produce(into: &bytes, limit: limit)
        }
    }

    func updateScope(expunges: Bool) -> UpdateScope {
        UpdateScope(any: reportsSelected, expunges: expunges, form: updateForm, limit: configuration.outputPiece)
    }

    private var updateForm: UpdateForm {
        UpdateForm(
            encoder: encoder, usesVanished: usesVanished, usesModSeq: usesModSeq, usesRecent: !isRev2,
            reportsFlags: reportsFlagChanges, reportsUIDs: reportsUIDs)
    }

    /// Takes in what a look at `view` found, and tells it.
    func take(_ update: MailboxUpdate, after view: SelectedMailbox) async throws(IMAPFailure) {
        switch update {
        case .none: return
        case .gone: throw .mailboxGone
        case .seen(let seen):
            replaceView(seen.view)
            if seen.hasExpunged { context?.hasSentExpunges = true }
            try await deliver(seen.piece)
            if let last = seen.arrivedAfter { try await reportNewMessages(after: last, in: seen.view) }
        }
    }

    /// Sends a piece and all that come behind it, each when the client has taken the one before; they are made on the
    /// pool, so that others of this event loop have their turns.
    private func deliver(_ first: UpdatePiece) async throws(IMAPFailure) {
        var piece = first
        let limit = configuration.outputPiece
        while true {
            if buffer.readableBytes == 0 { buffer = piece.bytes } else { buffer.writeImmutableBuffer(piece.bytes) }
            if piece.isLast { return }
            try await flush()
            let before = piece
            do throws(IMAPFailure) {
                piece = try await blocking { () throws(StoreError) in
                    var piece = before
                    piece.next(limit: limit)
                    return piece
                }
            } catch {
                // The client has a part of its news: the rest must come, whether the pool is busy or not.
                guard error.kind == .no else { throw error }
                piece.next(limit: limit)
            }
        }
    }

    /// As `sync`, at the end of a command, whose outcome stands even when the news must wait for the next one.
    func sendUpdates(expunges: Bool) async throws(IMAPFailure) {
        do throws(IMAPFailure) {
            try await sync(expunges: expunges)
        } catch {
            guard error.kind == .no else { throw error }
        }
    }

    /// At the end of a command: what happened meanwhile, unless it has been told.
    func sendUpdatesOfCommand() async throws(IMAPFailure) {
        if let (update, view) = context?.pendingUpdate { return try await take(update, after: view) }
        if context?.hasSentUpdates != true { try await sendUpdates(expunges: mayReportExpunges) }
    }

    /// Tells UIDs that were gone before the client's view of the mailbox began. RFC 7162 section 3.2.10.
    ///
    /// - Parameter find: gives them as ranges; blocks.
    func reportVanishedEarlier(
        of view: SelectedMailbox, _ find: @escaping @Sendable () throws(StoreError) -> [ClosedRange<UInt32>]
    ) async throws(IMAPFailure) {
        let (form, limit) = (updateForm, configuration.outputPiece)
        let first = try await blocking { () throws(StoreError) in
            var piece = UpdatePiece(UpdateWriter(vanishedEarlier: try find(), of: view, form: form))
            piece.next(limit: limit)
            return piece
        }
        try await deliver(first)
    }

    /// While expunges are held back a client must not take what it has seen for all that there was: it is told how far
    /// it got, in front of the command's end. RFC 7162 section 3.2.
    func reportHeldBack() {
        guard usesModSeq, case .selected(_, let view) = state, !view.pendingExpunges.isEmpty else { return }
        respond(
            .status(tag: nil, .ok, code: .highestModSeq(view.reportedModSeq), text: "Expunges are still to be told"))
    }

    /// A command's end with the mailbox's mod-sequence, when it has told of expunged messages and a client that
    /// resynchronises by them listens. RFC 7162 section 3.2.7.
    func withModSeq(_ completion: Completion) -> Completion {
        guard usesVanished, context?.hasSentExpunges == true, completion.code == nil,
            case .selected(_, let view) = state
        else {
            return completion
        }
        return Completion(completion.text, code: .highestModSeq(view.reportedModSeq))
    }

    /// The ranges of UIDs that a client's set stands for.
    ///
    /// - Throws: BAD for a sequence number beyond the last message, be it as one end of a range or `*` where there is
    ///   none (RFC 9051 section 9, `seq-number`).
    func uidRanges(
        _ set: IMAPSequenceSet, byUID: Bool, in view: SelectedMailbox
    ) throws(IMAPFailure) -> [ClosedRange<UInt32>] {
        let largest = byUID ? view.largestUID : UInt32(clamping: view.count)
        guard let ranges = set.resolved(largest: largest) else { return savedSearch }
        if !byUID, case .ranges(let asked) = set {
            let isBeyond = asked.contains { range in
                max(range.first, range.last) > largest || largest == 0
            }
            if isBeyond { throw .bad("There is no message of that number") }
        }
        return view.uidRanges(ranges, byUID: byUID)
    }
}
