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
        // Pending updates are sent with the response, whatever the client asks for from now on.
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

    /// Whether the driver should pass on changes while no command is running.
    var isListening: Bool { isIdling || (notify?.isActive ?? false) && context == nil }

    /// Whether a poll for changes is due; called at regular intervals while listening. Watches report most changes, but
    /// an occasional poll is made all the same.
    func needsPoll() -> Bool {
        polls &+= 1
        if polls % Self.rarePolls == 0 { return true }
        if notify?.needsPoll ?? false { return true }
        let watchesSelected = isIdling || notify?.plan.selected != nil
        guard watchesSelected, selectedMailbox != nil else { return false }
        return (idleObservation ?? notify?.selected)?.mailbox.isWatched != true
    }

    /// Poll intervals between two checks of mailboxes that the kernel watches.
    private static let rarePolls: UInt8 = 10

    // MARK: Reports

    /// Reports changes between commands and during IDLE.
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
            // The next poll tries again.
            guard error.kind == .no else { throw error }
            return
        }
        guard let responses = result.1 else {
            notify = NotifyWatch()
            return respond(.status(tag: nil, .ok, code: .notificationOverflow, text: "Too many changes to report"))
        }
        notify = result.0
        for response in responses {
            respond(response)
            try await flushIfLarge()
        }
    }

    /// Watches the currently selected mailbox, if its updates are to be pushed.
    func watchSelected() async throws(IMAPFailure) {
        guard let notify else { return }
        let mailbox = notify.plan.selected == nil ? nil : selectedMailbox
        guard notify.selected?.mailbox !== mailbox else { return }
        let onChange = onChange
        // Without an observation, the poll finds the changes.
        let observation = try? await blocking { () throws(StoreError) in
            mailbox.map { MailboxObservation($0, onChange) }
        }
        self.notify?.selected = observation ?? nil
        // For changes between the selection and now. Not if the watch failed: the next check tries again, and an
        // immediate one would repeat forever.
        if self.notify?.selected != nil { onChange() }
    }

    // MARK: The selected mailbox

    /// Whether changes in the selected mailbox are reported at all; not to a client that asked for other events only.
    var reportsSelected: Bool { notify == nil || notify?.plan.selected != nil || isTellingOwn }

    /// Whether changed flags in the selected mailbox are reported.
    var reportsFlagChanges: Bool {
        guard let notify else { return true }
        return notify.plan.selected?.events.contains(.flags) ?? false || isTellingOwn
    }

    /// Whether unsolicited FETCH responses carry the UID, as with NOTIFY (RFC 5465 section 5.1).
    var reportsUIDs: Bool { notify?.plan.selected?.events.contains(.flags) ?? false }

    /// Sends the FETCH responses that NOTIFY promises for new messages, except for those that the client added itself.
    func reportNewMessages(after last: UInt32, in view: SelectedMailbox) async throws(IMAPFailure) {
        guard let notify, let items = notify.plan.selected?.items, !items.isEmpty, last < view.lastUID else { return }
        let uids = view.uids(in: [last + 1...view.lastUID]).map(\.rawValue)
        let ranges: [ClosedRange<UInt32>] = .init(
            ascending: uids.filter { !notify.isOwn($0, in: view.mailbox) })
        self.notify?.forgetOwn(in: view.mailbox)
        guard !ranges.isEmpty else { return }
        // Read-only, so that \Seen is not set: reporting a message is not reading it.
        try await deliver(
            FetchProducer(
                FetchPlan(items, withUID: false, isReadOnly: true, reportsModSeq: usesModSeq), of: ranges, in: view,
                utf8: encoder.utf8,
                limits: configuration.parseLimits, memory: configuration.memory))
    }
}
