package import IMAPCodec
package import ShardFS

/// A session's view of its selected mailbox, as reported to the client.
///
/// It consists of the engine's list, whose memory it shares, and the messages expunged since then whose expunge has not
/// been reported to the client. Without such pending expunges, sequence numbers are those of the list, so a view needs
/// no map. RFC 3501 sections 5.5 and 7.4.1.
package struct SelectedMailbox: Sendable {
    package let mailbox: Mailbox
    /// Whether the mailbox was opened with EXAMINE, or the store takes no changes.
    package let isReadOnly: Bool
    /// The read cache's summaries of its messages; nil without a cache.
    package let summaries: SummaryCache?
    /// The engine's latest state; all its messages have been reported.
    package private(set) var snapshot: MailboxSnapshot
    /// Messages that are gone, but not yet for the client; ascending.
    package private(set) var pendingExpunges: [MessageEntry] = []
    /// The highest UID ever reported.
    package private(set) var lastUID: UInt32
    /// The mod-sequence up to which everything has been reported to the client. It stays behind while expunges are held
    /// back, so that a client that returns with it misses none of them (RFC 7162 section 3.2).
    package private(set) var reportedModSeq: ModSeq
    /// UIDs that are \Recent to this session: ascending and disjoint.
    package private(set) var recent: [ClosedRange<UInt32>] = []

    /// - Parameter recentFrom: the first UID that is \Recent to this session.
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

    /// The number of messages in the client's count.
    package var count: Int { snapshot.messages.count + pendingExpunges.count }

    /// The largest UID, the client's `*`; 0 if there is none.
    package var largestUID: UInt32 {
        max(snapshot.messages.last?.uid.rawValue ?? 0, pendingExpunges.last?.uid.rawValue ?? 0)
    }

    /// The sequence number of a UID in the view.
    package func sequenceNumber(of uid: UInt32) -> UInt32 { UInt32(clamping: count(below: uid) + 1) }

    package func count(below uid: UInt32) -> Int {
        snapshot.messages.count(below: UID(uid)) + (pendingExpunges.isEmpty ? 0 : pendingExpungeIndex(uid))
    }

    /// The UID of a sequence number, which must be 1 to `count`.
    package func uid(at number: UInt32) -> UInt32? {
        guard number >= 1, number <= count else { return nil }
        let index = Int(number) - 1
        if pendingExpunges.isEmpty { return snapshot.messages[index].uid.rawValue }
        // The number of pending expunges in front decides. It grows with the UID, so search for the pending expunge at
        // or before the position.
        var low = 0
        var high = pendingExpunges.count
        while low < high {
            let middle = (low + high) / 2
            if count(below: pendingExpunges[middle].uid.rawValue) <= index { low = middle + 1 } else { high = middle }
        }
        // `low` pending expunges are at or before the position.
        if low > 0, count(below: pendingExpunges[low - 1].uid.rawValue) == index {
            return pendingExpunges[low - 1].uid.rawValue
        }
        return snapshot.messages[index - low].uid.rawValue
    }

    /// The message as the client knows it, even if it is gone.
    package func entry(of uid: UInt32) -> MessageEntry? {
        if let entry = snapshot.messages.entry(of: UID(uid)) { return entry }
        let index = pendingExpungeIndex(uid)
        return index < pendingExpunges.count && pendingExpunges[index].uid.rawValue == uid
            ? pendingExpunges[index] : nil
    }

    /// The flags of a message as the client sees them.
    package func flags(of entry: MessageEntry) -> [IMAPFlag] {
        entry.flags.imapFlags(
            snapshot.keywords, extra: snapshot.extraKeywords.names(of: entry.uid),
            isRecent: isRecent(entry.uid.rawValue))
    }

    package func isExpungePending(_ uid: UInt32) -> Bool {
        let index = pendingExpungeIndex(uid)
        return index < pendingExpunges.count && pendingExpunges[index].uid.rawValue == uid
    }

    /// The number of pending expunges below a UID.
    package func pendingExpungeCount(below uid: UInt32) -> Int {
        pendingExpunges.isEmpty ? 0 : pendingExpungeIndex(uid)
    }

    /// The index of the first pending expunge that is not below a UID.
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

    package func isRecent(_ uid: UInt32) -> Bool { recent.covers(uid) }

    package var recentCount: UInt32 {
        var total = 0
        for range in recent {
            let below = range.upperBound == .max ? count : count(below: range.upperBound + 1)
            total += below - count(below: range.lowerBound)
        }
        return UInt32(clamping: total)
    }

    /// Clears \Recent on all messages: the client's protocol revision has no such flag.
    package mutating func forgetRecent() { recent = [] }

    // MARK: Sets

    /// The UIDs meant by a client's set of UIDs or sequence numbers, as ranges: ascending and disjoint.
    ///
    /// - Parameter ranges: resolved and merged; sequence numbers beyond the last one are ignored.
    package func uidRanges(_ ranges: [ClosedRange<UInt32>], byUID: Bool) -> [ClosedRange<UInt32>] {
        guard !byUID else { return ranges }
        return ranges.compactMap { range in
            guard let first = uid(at: range.lowerBound),
                let last = uid(at: min(range.upperBound, UInt32(clamping: count)))
            else { return nil }
            return first...last
        }
    }

    /// The messages of the view in `ranges` of UIDs, as ranges of indices from 0.
    private func numbers(in ranges: [ClosedRange<UInt32>]) -> [Range<Int>] {
        ranges.map { range in
            let first = count(below: range.lowerBound)
            return first..<(range.upperBound == .max ? count : count(below: range.upperBound + 1))
        }
    }

    /// The number of messages of the view in `ranges` of UIDs.
    package func count(in ranges: [ClosedRange<UInt32>]) -> Int { numbers(in: ranges).reduce(0) { $0 + $1.count } }

    /// The part of `ranges` of UIDs that holds the messages at positions `window` among them, counted from 0.
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

    /// The UIDs of the view in `ranges`, ascending.
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

    // MARK: Updates

    /// Updates the view to the engine's current state.
    ///
    /// - Parameters:
    ///   - expunges: whether expunges may be reported to the client at this point.
    ///   - recentFrom: the first UID among the new ones that is \Recent to this session.
    /// - Returns: The changes to report to the client; nil if the view cannot be updated, so that the session must end.
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
        if new.keywords != old.keywords {
            // What is gone keeps no letter that is another name's now.
            let reassigned = old.keywords.reassigned(in: new.keywords)
            for i in pendingExpunges.indices { pendingExpunges[i].flags.subtract(reassigned) }
        }
        if new.keywords != old.keywords || new.extraKeywords.names != old.extraKeywords.names {
            update.flags = new.flags
        }
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

    /// Removes expunged messages from the view and reports them. Returns how many messages of `old` are missing from
    /// `new`; the count is unexpected if `new` has messages that `old` lacks, which cannot happen with ascending UIDs.
    private mutating func reportGone(
        from old: MessageList, to new: MessageList, into update: inout ViewUpdate
    ) -> Int {
        // Pending expunges of earlier updates are in no list.
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

    /// Does the same as `reportGone`, but keeps the expunges pending: the client still sees the messages.
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
