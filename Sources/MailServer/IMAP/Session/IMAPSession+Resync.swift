import IMAPCodec
import MailAccess
import ShardFS

// The resynchronisation of a client that returns to a mailbox. RFC 7162 sections 3.2.5 and 3.2.6.

extension IMAPSession {
    /// The checked parameters of SELECT (QRESYNC …).
    struct Resync: Sendable {
        let uidValidity: UInt32
        let modSeq: ModSeq
        /// The UIDs known to the client; nil for all possible ones.
        let known: [ClosedRange<UInt32>]?
        let match: SelectedMailbox.MatchData?

        /// Checks the parameters; nil without QRESYNC.
        ///
        /// - Throws: BAD for parameters that no client may send, before anything else is done.
        init?(_ asked: IMAPQResync?, isEnabled: Bool) throws(IMAPFailure) {
            guard let asked else { return nil }
            guard isEnabled else { throw .bad("Enable QRESYNC first") }
            guard asked.modSeq > 0 else { throw .bad("A mod-sequence must not be 0") }
            uidValidity = asked.uidValidity
            modSeq = asked.modSeq
            known = try asked.knownUIDs.map { set throws(IMAPFailure) in try Self.plain(set) }
            match = try asked.matchData.map { data throws(IMAPFailure) in
                let (numbers, uids) = (try Self.ascending(data.sequenceNumbers), try Self.ascending(data.uids))
                guard let match = SelectedMailbox.MatchData(numbers: numbers, uids: uids) else {
                    throw .bad("Expected as many UIDs as sequence numbers")
                }
                return match
            }
        }

        private static func plain(_ set: IMAPSequenceSet) throws(IMAPFailure) -> [ClosedRange<UInt32>] {
            // The parser admits no `*`, so the ranges do not depend on the mailbox.
            guard let ranges = set.resolved(largest: 0) else { throw .bad("Expected plain UIDs") }
            return ranges
        }

        private static func ascending(_ set: IMAPSequenceSet) throws(IMAPFailure) -> [ClosedRange<UInt32>] {
            guard case .ranges(let ranges) = set else { throw .bad("Expected plain numbers") }
            var last: UInt32 = 0
            for range in ranges {
                guard range.first > last, range.last >= range.first else {
                    throw .bad("Expected ascending numbers")
                }
                last = range.last
            }
            return try plain(set)
        }
    }

    /// Reports expunges and changes since the client last knew the mailbox, after the responses common to every SELECT.
    func reportMissed(_ resync: Resync, in view: SelectedMailbox) async throws(IMAPFailure) {
        guard resync.uidValidity == view.snapshot.uidValidity else { return }
        let highest = view.highestPossibleUID
        guard let known = resync.known ?? (highest > 0 ? [1...highest] : nil) else { return }
        try await reportVanished(since: resync.modSeq, in: known, match: resync.match, of: view)
        let plan = FetchPlan([.uid, .flags, .modSeq], withUID: true, isReadOnly: true, reportsModSeq: true)
        try await deliver(
            FetchProducer(
                plan, of: known, in: view, utf8: encoder.utf8, changedSince: resync.modSeq,
                limits: configuration.parseLimits, memory: configuration.memory))
    }

    /// Reports the UIDs of `ranges` that were expunged since `modSeq` and are not in the client's view.
    func reportVanished(
        since modSeq: ModSeq, in ranges: [ClosedRange<UInt32>], match: SelectedMailbox.MatchData? = nil,
        of view: SelectedMailbox
    ) async throws(IMAPFailure) {
        try await reportVanishedEarlier(of: view) { () throws(StoreError) in
            var ranges = ranges
            if let match {
                let known = view.highestMatch(match)
                ranges = ranges.filter { $0.upperBound > known }
                    .map { max($0.lowerBound, known + 1)...$0.upperBound }
            }
            return view.vanished(try view.mailbox.expunged(since: modSeq), in: ranges)
        }
    }
}
