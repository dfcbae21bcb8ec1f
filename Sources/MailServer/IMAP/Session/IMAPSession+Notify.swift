import IMAPCodec
import MailAccess
import NIOCore
import ShardFS

// NOTIFY. RFC 5465.

extension IMAPSession {
    func setNotify(_ command: IMAPNotify) async throws(IMAPFailure) -> Completion {
        let mail = try account().mail
        guard case .set(let wantsStatus, let groups) = command else {
            notify = NotifyWatch()
            return Completion("NOTIFY completed")
        }
        let plan = try NotifyPlan(groups)
        let (limit, onChange, appendLimit) = (
            configuration.maxNotifyMailboxes, onChange, UInt64(configuration.maxLiteralSize)
        )
        let selected = selectedMailbox
        let made = try await blocking { () throws(StoreError) -> (NotifyWatch, [IMAPResponse])? in
            guard let watch = try NotifyWatch(plan, of: mail, limit: limit, onChange: onChange) else { return nil }
            return (watch, wantsStatus ? watch.firstStatus(selected: selected, appendLimit: appendLimit) : [])
        }
        guard let (watch, statuses) = made else {
            throw .no(.notificationOverflow, "No more than \(limit) mailboxes can be watched")
        }
        // What has gathered is told with the answer, whatever the client wants to hear from now on.
        notify = nil
        try await sendUpdates(expunges: mayReportExpunges)
        notify = watch
        for status in statuses {
            respond(status)
            try await flushIfLarge()
        }
        return Completion("NOTIFY completed")
    }

    private var selectedMailbox: Mailbox? {
        if case .selected(_, let view) = state { view.mailbox } else { nil }
    }

    /// Whether the driver is to hand over changes while no command is carried out.
    var isListening: Bool { isIdling || (notify?.isActive ?? false) && context == nil }

    /// Whether a look at what changed is due; asked at regular intervals while listening. Others than the driver tell
    /// of most changes; now and then a look is taken all the same.
    func needsPoll() -> Bool {
        polls &+= 1
        if polls % Self.rarePolls == 0 { return true }
        if notify?.needsPoll ?? false { return true }
        let watchesSelected = isIdling || notify?.plan.selected != nil
        guard watchesSelected, selectedMailbox != nil else { return false }
        return (idleObservation ?? notify?.selected)?.mailbox.isWatched != true
    }

    /// Polls between two looks at mailboxes that the system watches.
    private static let rarePolls: UInt8 = 10

    // MARK: Telling

    /// Tells what happened while no command was carried out, or while the client idles.
    func pushChanges() async throws(IMAPFailure) {
        if isIdling {
            try await sendUpdates(expunges: mayReportExpunges)
        } else if let selected = notify?.plan.selected {
            try await sendUpdates(expunges: !selected.isDelayed)
        }
        try await reportNotifications()
    }

    private func reportNotifications() async throws(IMAPFailure) {
        guard let before = notify, before.hasSignals else { return }
        let (selected, usesModSeq) = (selectedMailbox, usesModSeq)
        let appendLimit = UInt64(configuration.maxLiteralSize)
        let result: (NotifyWatch, [IMAPResponse]?)
        do throws(IMAPFailure) {
            result = try await blocking { () throws(StoreError) in
                var watch = before
                let responses = try watch.look(
                    selected: selected, usesModSeq: usesModSeq, appendLimit: appendLimit)
                return (watch, responses)
            }
        } catch {
            // The next poll looks again.
            guard error.kind == .no else { throw error }
            return
        }
        guard let responses = result.1 else {
            notify = NotifyWatch()
            return respond(.status(tag: nil, .ok, code: .notificationOverflow, text: "Too much to be told of"))
        }
        notify = result.0
        for response in responses {
            respond(response)
            try await flushIfLarge()
        }
    }

    /// Watches the mailbox that is selected now, if its news are to be pushed.
    func watchSelected() async throws(IMAPFailure) {
        guard let notify else { return }
        let mailbox = notify.plan.selected == nil ? nil : selectedMailbox
        guard notify.selected?.mailbox !== mailbox else { return }
        let onChange = onChange
        // Without one, the poll looks.
        let observation = try? await blocking { () throws(StoreError) in
            mailbox.map { MailboxObservation($0, onChange) }
        }
        self.notify?.selected = observation ?? nil
        // For what came between its selection and now. Not when it could not be watched: the next look tries again,
        // and one that came at once would come again and again.
        if self.notify?.selected != nil { onChange() }
    }

    // MARK: The selected mailbox

    /// Whether changes in the selected mailbox are told at all: not to a client that asked for other events only.
    var reportsSelected: Bool { notify == nil || notify?.plan.selected != nil || isTellingOwn }

    /// Whether changed flags are.
    var reportsFlagChanges: Bool {
        guard let notify else { return true }
        return notify.plan.selected?.events.contains(.flags) ?? false || isTellingOwn
    }

    /// Unasked FETCHes of NOTIFY have the UID in them (RFC 5465 section 5.1).
    var reportsUIDs: Bool { notify?.plan.selected?.events.contains(.flags) ?? false }

    /// The FETCHes of new messages that NOTIFY promises; for those that the client made itself there are none.
    func reportNewMessages(after last: UInt32, in view: SelectedMailbox) async throws(IMAPFailure) {
        guard let notify, let items = notify.plan.selected?.items, !items.isEmpty, last < view.lastUID else { return }
        let uids = view.uids(in: [last + 1...view.lastUID]).map(\.rawValue)
        let ranges: [ClosedRange<UInt32>] = .init(
            ascending: uids.filter { !notify.isOwn($0, in: view.mailbox) })
        self.notify?.forgetOwn(in: view.mailbox)
        guard !ranges.isEmpty else { return }
        // As for a mailbox that takes no flags: being told of a message is not reading it.
        try await deliver(
            FetchProducer(
                FetchPlan(items, withUID: false, isReadOnly: true, reportsModSeq: usesModSeq), of: ranges, in: view,
                utf8: encoder.utf8,
                limits: configuration.parseLimits))
    }
}
