import IMAPCodec
import ShardFS

/// An observer of a mailbox that ends with this object.
final class MailboxObservation: Sendable {
    let mailbox: Mailbox
    private let token: Observation

    /// Blocks for a moment. `onChange` is called on any thread.
    init(_ mailbox: Mailbox, _ onChange: @escaping @Sendable () -> Void) {
        self.mailbox = mailbox
        token = mailbox.observe(onChange)
    }
}

/// A mailbox whose messages a client has asked to be told of while it is not selected.
struct WatchedMailbox: Sendable {
    /// How it was when the client was told last.
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

        /// Of a mailbox that was made with nothing in it.
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

    /// Takes in how the mailbox is now, and says which items of STATUS the client is to hear; nil for none. Blocks.
    ///
    /// - Parameters:
    ///   - own: UIDs of messages that this client put there itself (RFC 5465 section 5.2).
    ///   - isSelected: the client is told in another way.
    mutating func look(own: [ClosedRange<UInt32>], isSelected: Bool) throws(StoreError) -> [IMAPStatusItem]? {
        let snapshot = try mailbox.snapshot()
        let (before, now) = (standing, Standing(snapshot))
        standing = now
        guard !isSelected, now != before else { return nil }
        guard now.uidValidity == before.uidValidity else { return Self.firstItems(events) }
        let kept = snapshot.messages.count(below: UID(before.uidNext))
        var isNew = false
        if before.uidNext < now.uidNext {
            // Those that came and went since are news too.
            isNew = !own.isEmpty ? Self.hasOthers(before.uidNext..<now.uidNext, than: own) : true
        }
        let isChanged = isNew || kept < before.count
        let hasFlags = events.contains(.flags) && Self.hasNewFlags(snapshot, before)
        var items: [IMAPStatusItem] = []
        if isChanged, events.contains(.messages) { items += [.uidNext, .messages] }
        if hasFlags || isChanged, events.contains(.flags) { items += [.uidValidity, .unseen, .highestModSeq] }
        return items.isEmpty ? nil : items
    }

    /// What NOTIFY SET STATUS tells. RFC 5465 section 3.1.
    static func firstItems(_ events: NotifyPlan.Events) -> [IMAPStatusItem] {
        [.messages, .uidNext, .uidValidity] + (events.contains(.flags) ? [.highestModSeq] : [])
    }

    private static func hasOthers(_ uids: Range<UInt32>, than own: [ClosedRange<UInt32>]) -> Bool {
        // Ranges may overlap and are few; UIDs that nobody got do not matter much.
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
