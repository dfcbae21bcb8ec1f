import IMAPCodec
import ShardFS

/// An observer of a mailbox that ends with this object.
final class MailboxObservation: Sendable {
    let mailbox: Mailbox
    private let token: Observation

    /// Starts observing. Blocks briefly; `onChange` is called on any thread.
    init(_ mailbox: Mailbox, _ onChange: @escaping @Sendable () -> Void) {
        self.mailbox = mailbox
        token = mailbox.observe(onChange)
    }
}

/// A mailbox whose messages are watched for a client while it is not selected.
struct WatchedMailbox: Sendable {
    /// The mailbox's state as last reported to the client.
    struct Standing: Sendable, Equatable {
        var uidValidity: UInt32
        var uidNext: UInt32
        var count: Int
        var modSeq: ModSeq

        init(_ snapshot: MailboxSnapshot) {
            uidValidity = snapshot.uidValidity
            uidNext = snapshot.uidNext.rawValue
            count = snapshot.messages.count
            modSeq = snapshot.highestModSeq
        }

        /// Returns the state of a newly created, empty mailbox.
        static func empty(like snapshot: MailboxSnapshot) -> Standing {
            var standing = Standing(snapshot)
            (standing.uidNext, standing.count, standing.modSeq) = (1, 0, 0)
            return standing
        }
    }

    var name: String
    var events: NotifyPlan.Events
    let observation: MailboxObservation
    var standing: Standing

    var mailbox: Mailbox { observation.mailbox }

    /// Records the mailbox's current state and returns the STATUS items to report; nil for none. Blocks.
    ///
    /// - Parameters:
    ///   - own: UIDs of messages that this client added itself (RFC 5465 section 5.2).
    ///   - isSelected: the mailbox is selected, so its changes are reported as updates of the session.
    mutating func look(own: [ClosedRange<UInt32>], isSelected: Bool) throws(StoreError) -> [IMAPStatusItem]? {
        let snapshot = try mailbox.snapshot()
        let (before, now) = (standing, Standing(snapshot))
        standing = now
        guard !isSelected, now != before else { return nil }
        guard now.uidValidity == before.uidValidity else { return Self.firstItems(events) }
        let kept = snapshot.messages.count(below: UID(before.uidNext))
        var isNew = false
        if before.uidNext < now.uidNext {
            // Messages that arrived and were expunged since then count as new.
            isNew = !own.isEmpty ? Self.hasOthers(before.uidNext..<now.uidNext, than: own) : true
        }
        let isChanged = isNew || kept < before.count
        let hasFlags = events.contains(.flags) && Self.hasNewFlags(snapshot, before)
        var items: [IMAPStatusItem] = []
        if isChanged, events.contains(.messages) { items += [.uidNext, .messages] }
        if hasFlags || isChanged, events.contains(.flags) { items += [.uidValidity, .unseen, .highestModSeq] }
        return items.isEmpty ? nil : items
    }

    /// Returns the STATUS items reported by NOTIFY SET STATUS. RFC 5465 section 3.1.
    static func firstItems(_ events: NotifyPlan.Events) -> [IMAPStatusItem] {
        [.messages, .uidNext, .uidValidity] + (events.contains(.flags) ? [.highestModSeq] : [])
    }

    private static func hasOthers(_ uids: Range<UInt32>, than own: [ClosedRange<UInt32>]) -> Bool {
        // The ranges are few and may overlap. Unassigned UIDs count as others', which does little harm.
        var next = uids.lowerBound
        for range in own.sorted(by: { $0.lowerBound < $1.lowerBound }) where range.upperBound >= next {
            if range.lowerBound > next { return true }
            if range.upperBound >= uids.upperBound - 1 { return false }
            next = range.upperBound + 1
        }
        return next < uids.upperBound
    }

    private static func hasNewFlags(_ snapshot: MailboxSnapshot, _ before: Standing) -> Bool {
        struct Found: Error {}
        guard before.uidNext > 1 else { return false }
        do throws(Found) {
            try snapshot.messages.forEachChanged(since: before.modSeq, in: .init(1...before.uidNext - 1)) {
                _, _ throws(Found) in
                throw Found()
            }
            return false
        } catch {
            return true
        }
    }
}
