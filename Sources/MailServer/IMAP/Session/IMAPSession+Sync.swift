import IMAPCodec
import MailAccess
import NIOCore
import ServerRuntime
import ShardFS

// The reporting of mailbox changes to the client. RFC 3501 section 5.2, RFC 7162 section 3.2.

extension IMAPSession {
    /// Brings the selected mailbox's view up to date and sends the update. Does nothing if no mailbox is selected.
    ///
    /// - Parameter known: mod-sequences of changes that the client made itself or has already received, by UID.
    func sync(expunges: Bool, known: [UInt32: ModSeq] = [:]) async throws(IMAPFailure) {
        guard case .selected(_, let view) = state else { return }
        let asked = updateScope(expunges: expunges)
        try await take(
            blocking(inline: .reading) { () throws(StoreError) in try asked.look(at: view, known: known) }, after: view)
    }

    /// The updates that a client may receive, and their form.
    struct UpdateScope: Sendable {
        /// False for a client that has chosen to receive nothing about its mailbox (RFC 5465 section 5.1).
        fileprivate let any: Bool
        fileprivate let expunges: Bool
        fileprivate let form: UpdateForm
        fileprivate let limit: Int

        /// Checks for changes since `view`; nothing is sent yet. Blocks.
        ///
        /// - Parameters:
        ///   - known: as in ``IMAPSession/sync(expunges:known:)``.
        ///   - own: changes of the client's own command, to be reported after those of others.
        ///   - withUID: whether the client's own command is a UID command.
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

    /// The outcome of a check for changes.
    enum MailboxUpdate: Sendable {
        case none
        /// The mailbox was deleted or replaced.
        case gone
        case seen(ShownUpdate)
    }

    /// The changes found by a check, with their first piece written.
    struct ShownUpdate: Sendable {
        let view: SelectedMailbox
        fileprivate let hasExpunged: Bool
        /// The highest UID reported before, if messages have arrived.
        fileprivate let arrivedAfter: UInt32?
        fileprivate var piece: UpdatePiece
    }

    /// A piece of an update, and the writer of the pieces after it.
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

    /// Applies and sends the update that a check of `view` found.
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

    /// Sends a piece and all those after it, each once the client has taken the one before. They are made on the pool,
    /// so that other connections on this event loop get their turns.
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
                // Part of the update has been sent: the rest must follow, whether the pool is busy or not.
                guard error.kind == .no else { throw error }
                piece.next(limit: limit)
            }
        }
    }

    /// Calls `sync` at the end of a command, whose outcome stands even if the update must wait for the next one.
    func sendUpdates(expunges: Bool) async throws(IMAPFailure) {
        do throws(IMAPFailure) {
            try await sync(expunges: expunges)
        } catch {
            guard error.kind == .no else { throw error }
        }
    }

    /// Sends the pending updates at the end of a command, unless the command has already sent them.
    func sendUpdatesOfCommand() async throws(IMAPFailure) {
        if let (update, view) = context?.pendingUpdate { return try await take(update, after: view) }
        if context?.hasSentUpdates != true { try await sendUpdates(expunges: mayReportExpunges) }
    }

    /// Reports UIDs expunged before the client's view of the mailbox began. RFC 7162 section 3.2.10.
    ///
    /// - Parameter find: returns them as ranges; blocks.
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

    /// Sends the mod-sequence reported so far, ahead of the command's completion, while expunges are held back: the
    /// client must not believe that it has seen every change. RFC 7162 section 3.2.
    func reportHeldBack() {
        guard usesModSeq, case .selected(_, let view) = state, !view.pendingExpunges.isEmpty else { return }
        respond(
            .status(tag: nil, .ok, code: .highestModSeq(view.reportedModSeq), text: "Expunges are pending"))
    }

    /// Adds the mailbox's mod-sequence to the completion of a command that has reported expunges to a QRESYNC client.
    /// RFC 7162 section 3.2.7.
    func withModSeq(_ completion: Completion) -> Completion {
        guard usesVanished, context?.hasSentExpunges == true, completion.code == nil,
            case .selected(_, let view) = state
        else {
            return completion
        }
        return Completion(completion.text, code: .highestModSeq(view.reportedModSeq))
    }

    /// Returns the UID ranges that a client's set stands for.
    ///
    /// - Throws: BAD for a sequence number beyond the last message, even as one end of a range or as `*` in an empty
    ///   mailbox (RFC 9051 section 9, `seq-number`).
    func uidRanges(
        _ set: IMAPSequenceSet, byUID: Bool, in view: SelectedMailbox
    ) throws(IMAPFailure) -> [ClosedRange<UInt32>] {
        let largest = byUID ? view.largestUID : UInt32(clamping: view.count)
        guard let ranges = set.resolved(largest: largest) else { return savedSearch }
        if !byUID, case .ranges(let asked) = set {
            let isBeyond = asked.contains { range in
                max(range.first, range.last) > largest || largest == 0
            }
            if isBeyond { throw .bad("There is no message with that number") }
        }
        return view.uidRanges(ranges, byUID: byUID)
    }
}
