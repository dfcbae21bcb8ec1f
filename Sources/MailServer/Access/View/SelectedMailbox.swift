package import ShardFS

/// A session's own view of the mailbox that it has selected: what its client has been told.
///
/// It is the engine's list, whose memory it shares, and beside it the messages that were expunged since and that the
/// client has not been told of yet. Sequence numbers are those of the list as long as there are none of these, so a
/// view costs no map. RFC 3501 sections 5.5 and 7.4.1.
package struct SelectedMailbox: Sendable {
    package let mailbox: Mailbox
    /// EXAMINE, or a store that takes no changes.
    package let isReadOnly: Bool
    /// What the read cache keeps of its messages; nil without one.
    package let summaries: SummaryCache?
    /// What the engine said last; all its messages have been told.
    package private(set) var snapshot: MailboxSnapshot
    /// Gone, but not for the client; ascending.
    package private(set) var pendingExpunges: [MessageEntry] = []
    /// Highest UID ever told.
    package private(set) var lastUID: UInt32
    /// The client has been told of everything up to this mod-sequence: it stays behind while expunges are held back, so
    /// that a client which comes back with it misses none of them (RFC 7162 section 3.2).
    package private(set) var reportedModSeq: ModSeq
    /// UIDs that are \Recent to this session: ascending and disjoint.
    package private(set) var recent: [ClosedRange<UInt32>] = []

    /// - Parameter recentFrom: first UID that is \Recent to this session.
    package init(
        mailbox: Mailbox, isReadOnly: Bool, snapshot: MailboxSnapshot, recentFrom: UInt32, summaries: SummaryCache?
    ) {
        self.mailbox = mailbox
        self.summaries = summaries
        self.isReadOnly = isReadOnly
        self.snapshot = snapshot
        reportedModSeq = snapshot.highestModSeq
        lastUID = snapshot.messages.last?.uid.rawValue ?? 0
        if recentFrom <= lastUID, lastUID > 0 { recent = [recentFrom...lastUID] }
    }

    // MARK: Numbers

    /// Messages, as the client counts them.
    package var count: Int { snapshot.messages.count + pendingExpunges.count }

    /// The largest UID that the client can mean by `*`; 0 when there is none.
    package var largestUID: UInt32 {
        max(snapshot.messages.last?.uid.rawValue ?? 0, pendingExpunges.last?.uid.rawValue ?? 0)
    }

    /// The sequence number of a UID that is in the view.
    package func sequenceNumber(of uid: UInt32) -> UInt32 { UInt32(clamping: count(below: uid) + 1) }

    package func count(below uid: UInt32) -> Int {
        snapshot.messages.count(below: UID(uid)) + (pendingExpunges.isEmpty ? 0 : pendingExpungeIndex(uid))
    }

    /// The UID of a sequence number, which must be 1 to `count`.
    package func uid(at number: UInt32) -> UInt32? {
        guard number >= 1, number <= count else { return nil }
        let index = Int(number) - 1
        if pendingExpunges.isEmpty { return snapshot.messages[index].uid.rawValue }
        // The number of ghosts in front decides; it grows with the UID, so look for the ghost that it is or follows.
        var low = 0
        var high = pendingExpunges.count
        while low < high {
            let middle = (low + high) / 2
            if count(below: pendingExpunges[middle].uid.rawValue) <= index { low = middle + 1 } else { high = middle }
        }
        // `low` ghosts stand at or in front of the place.
        if low > 0, count(below: pendingExpunges[low - 1].uid.rawValue) == index {
            return pendingExpunges[low - 1].uid.rawValue
        }
        return snapshot.messages[index - low].uid.rawValue
    }

    /// The message as the client knows it, also when it is gone.
    package func entry(of uid: UInt32) -> MessageEntry? {
        if let entry = snapshot.messages.entry(of: UID(uid)) { return entry }
        let index = pendingExpungeIndex(uid)
        return index < pendingExpunges.count && pendingExpunges[index].uid.rawValue == uid
            ? pendingExpunges[index] : nil
    }

    package func isExpungePending(_ uid: UInt32) -> Bool {
        let index = pendingExpungeIndex(uid)
        return index < pendingExpunges.count && pendingExpunges[index].uid.rawValue == uid
    }

    /// How many messages that are gone stand in front of a UID.
    package func pendingExpungeCount(below uid: UInt32) -> Int {
        pendingExpunges.isEmpty ? 0 : pendingExpungeIndex(uid)
    }

    /// How many ghosts have a lower UID.
    private func pendingExpungeIndex(_ uid: UInt32) -> Int {
        var low = 0
        var high = pendingExpunges.count
        while low < high {
            let middle = (low + high) / 2
            if pendingExpunges[middle].uid.rawValue < uid { low = middle + 1 } else { high = middle }
        }
        return low
    }

    // MARK: Recent

    package func isRecent(_ uid: UInt32) -> Bool { recent.contains { $0.contains(uid) } }

    package var recentCount: UInt32 {
        var total = 0
        for range in recent {
            let below = range.upperBound == .max ? count : count(below: range.upperBound + 1)
            total += below - count(below: range.lowerBound)
        }
        return UInt32(clamping: total)
    }

    /// No message is \Recent any more: the client has no such flag.
    package mutating func forgetRecent() { recent = [] }

    // MARK: Sets

    /// UIDs that a client's set of UIDs or sequence numbers stands for, as ranges of UIDs: ascending and disjoint.
    ///
    /// - Parameter ranges: resolved and merged; sequence numbers beyond the last one are passed over.
    package func uidRanges(_ ranges: [ClosedRange<UInt32>], byUID: Bool) -> [ClosedRange<UInt32>] {
        guard !byUID else { return ranges }
        return ranges.compactMap { range in
            guard let first = uid(at: range.lowerBound),
                let last = uid(at: min(range.upperBound, UInt32(clamping: count)))
            else { return nil }
            return first...last
        }
    }

    /// The messages of the view that are in `ranges` of UIDs, as ranges of sequence numbers.
    private func numbers(in ranges: [ClosedRange<UInt32>]) -> [Range<Int>] {
        ranges.map { range in
            let first = count(below: range.lowerBound)
            return first..<(range.upperBound == .max ? count : count(below: range.upperBound + 1))
        }
    }

    /// How many messages of the view are in `ranges` of UIDs.
    package func count(in ranges: [ClosedRange<UInt32>]) -> Int { numbers(in: ranges).reduce(0) { $0 + $1.count } }

    /// The part of `ranges` of UIDs that holds those of their messages that stand at `window`, counted from 0.
    package func uidRanges(of ranges: [ClosedRange<UInt32>], at window: Range<Int>) -> [ClosedRange<UInt32>] {
        var passed = 0
        var found: [ClosedRange<UInt32>] = []
        for numbers in numbers(in: ranges) {
            let part = window.clamped(to: passed..<passed + numbers.count)
            if let first = part.first, let last = part.last,
                let low = uid(at: UInt32(clamping: numbers.lowerBound + first - passed + 1)),
                let high = uid(at: UInt32(clamping: numbers.lowerBound + last - passed + 1))
            {
                found.append(low...high)
            }
            passed += numbers.count
        }
        return found
    }

    /// The UIDs of the view that are in `ranges`, ascending.
    package func uids(in ranges: [ClosedRange<UInt32>]) -> [UID] {
        var found: [UID] = []
        for range in ranges {
            let firstPendingExpunge = pendingExpungeIndex(range.lowerBound)
            var pendingExpunge = firstPendingExpunge
            snapshot.messages.forEach(in: .init(range)) { entry in
                while pendingExpunge < pendingExpunges.count, pendingExpunges[pendingExpunge].uid < entry.uid {
                    found.append(pendingExpunges[pendingExpunge].uid)
                    pendingExpunge += 1
                }
                found.append(entry.uid)
            }
            while pendingExpunge < pendingExpunges.count,
                pendingExpunges[pendingExpunge].uid.rawValue <= range.upperBound
            {
                found.append(pendingExpunges[pendingExpunge].uid)
                pendingExpunge += 1
            }
        }
        return found
    }

    /// Messages of `ranges` from UID `from` on, ascending, at most `limit`.
    package func page(
        of ranges: [ClosedRange<UInt32>], from: UInt32, limit: Int
    ) -> [(number: UInt32, entry: MessageEntry)] {
        var page: [(number: UInt32, entry: MessageEntry)] = []
        page.reserveCapacity(min(limit, 1024))
        for range in ranges where range.upperBound >= from {
            let range = max(range.lowerBound, from)...range.upperBound
            var number = sequenceNumber(of: range.lowerBound)
            var pendingExpunge = pendingExpungeIndex(range.lowerBound)
            do throws(EndOfPage) {
                try snapshot.messages.forEach(in: .init(range)) { entry throws(EndOfPage) in
                    while pendingExpunge < pendingExpunges.count, pendingExpunges[pendingExpunge].uid < entry.uid {
                        if page.count >= limit { throw EndOfPage() }
                        page.append((number, pendingExpunges[pendingExpunge]))
                        (number, pendingExpunge) = (number + 1, pendingExpunge + 1)
                    }
                    if page.count >= limit { throw EndOfPage() }
                    page.append((number, entry))
                    number += 1
                }
            } catch {
                return page
            }
            while pendingExpunge < pendingExpunges.count,
                pendingExpunges[pendingExpunge].uid.rawValue <= range.upperBound, page.count < limit
            {
                page.append((number, pendingExpunges[pendingExpunge]))
                (number, pendingExpunge) = (number + 1, pendingExpunge + 1)
            }
            if page.count >= limit { break }
        }
        return page
    }

    private struct EndOfPage: Error {}

    // MARK: News

    /// Takes in what the engine says now.
    ///
    /// - Parameters:
    ///   - expunges: whether the client may be told of expunged messages at this point.
    ///   - recentFrom: first UID that is \Recent to this session of those that are new.
    /// - Returns: what to tell the client; nil when the view cannot be brought up to date, so that the session must end.
    package mutating func update(
        to new: MailboxSnapshot, expunges: Bool, recentFrom: UInt32 = .max
    ) -> ViewUpdate? {
        guard new.uidValidity == snapshot.uidValidity, new.mailboxID == snapshot.mailboxID else { return nil }
        var update = ViewUpdate()
        let old = snapshot
        let arrived = lastUID == .max ? 0 : new.messages.count - new.messages.count(below: UID(lastUID + 1))
        let went = old.messages.count - (new.messages.count - arrived)
        if expunges, went != 0 || !pendingExpunges.isEmpty {
            guard reportGone(from: old.messages, to: new.messages, into: &update) == went else { return nil }
        } else if went != 0 {
            guard keepGone(from: old.messages, to: new.messages) == went else { return nil }
        }
        if pendingExpunges.isEmpty { reportedModSeq = new.highestModSeq }
        if new.keywords != old.keywords { update.keywords = new.keywords }
        snapshot = new
        if new.highestModSeq > old.highestModSeq {
            update.changedSince = old.highestModSeq
            if lastUID > 0 { update.changed = 1...lastUID }
        }
        if arrived > 0 {
            let last = new.messages.last?.uid.rawValue ?? lastUID
            let first = max(recentFrom, lastUID &+ 1)
            if first <= last { appendRecent(first...last) }
            lastUID = max(lastUID, last)
            update.exists = UInt32(clamping: count)
            update.recent = recentCount
        }
        return update
    }

    /// Lets go of what is gone. How many messages of `old` are not in `new`: other than expected where `new` has others
    /// than `old`, which no engine that gives UIDs in ascending order shows.
    private mutating func reportGone(
        from old: MessageList, to new: MessageList, into update: inout ViewUpdate
    ) -> Int {
        // Ghosts of earlier rounds are in no list.
        let places = old.counts(below: pendingExpunges.lazy.map(\.uid))
        var older = 0
        var found = 0
        old.forEachMissing(from: new) { place, entry in
            while older < pendingExpunges.count, pendingExpunges[older].uid < entry.uid {
                update.addGone(number: places[older] + older + 1, uid: pendingExpunges[older].uid.rawValue)
                older += 1
            }
            update.addGone(number: place + older + 1, uid: entry.uid.rawValue)
            found += 1
        }
        while older < pendingExpunges.count {
            update.addGone(number: places[older] + older + 1, uid: pendingExpunges[older].uid.rawValue)
            older += 1
        }
        pendingExpunges = []
        return found
    }

    /// As `reportGone`; the client still sees what is gone.
    private mutating func keepGone(from old: MessageList, to new: MessageList) -> Int {
        var gone: [MessageEntry] = []
        old.forEachMissing(from: new) { _, entry in gone.append(entry) }
        pendingExpunges = pendingExpunges.isEmpty ? gone : (pendingExpunges + gone).sorted { $0.uid < $1.uid }
        return gone.count
    }

    private mutating func appendRecent(_ range: ClosedRange<UInt32>) {
        if let last = recent.last, last.upperBound != .max, last.upperBound + 1 >= range.lowerBound {
            recent[recent.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
        } else {
            recent.append(range)
        }
    }
}
