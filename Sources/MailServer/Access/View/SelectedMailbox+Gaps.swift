package import ShardFS

// Missing UIDs, reported as VANISHED to a client that resynchronizes. RFC 7162 sections 3.2.5 and 3.2.6.

extension SelectedMailbox {
    /// The highest UID that a message could have had when the view was made; 0 if there was none.
    package var highestPossibleUID: UInt32 { max(snapshot.uidNext > 0 ? snapshot.uidNext.rawValue - 1 : 0, largestUID) }

    /// The UIDs of `ranges` expunged before this view: ascending and disjoint.
    ///
    /// - Parameters:
    ///   - expunged: the UIDs that the engine remembers as expunged, ascending; nil if its memory does not reach back
    ///     that far, so that every missing UID is reported (RFC 7162 section 5.1).
    ///   - ranges: ascending and disjoint.
    package func vanished(_ expunged: [UID]?, in ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
        guard let expunged else { return gaps(in: ranges) }
        let highest = highestPossibleUID
        return .init(
            ascending: expunged.lazy.map(\.rawValue)
                .filter { $0 <= highest && ranges.covers($0) && entry(of: $0) == nil })
    }

    /// The UIDs of `ranges` without a message in the view, up to the highest possible one.
    private func gaps(in ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
        var found: [ClosedRange<UInt32>] = []
        let highest = highestPossibleUID
        eachRange: for range in ranges where range.lowerBound <= highest {
            let last = min(range.upperBound, highest)
            var next = range.lowerBound
            var isMore = true
            while isMore {
                let page = page(of: [next...last], from: next, limit: Self.gapPage)
                isMore = page.count == Self.gapPage
                for (_, entry) in page {
                    let uid = entry.uid.rawValue
                    if uid > next { found.append(next...uid - 1) }
                    if uid == last { continue eachRange }
                    next = uid + 1
                }
            }
            found.append(next...last)
        }
        return found
    }

    /// Messages examined at a time.
    private static let gapPage = 4_096

    /// The highest UID whose sequence number the client knows correctly: it knows of all expunges up to there.
    ///
    /// - Returns: 0 if none of the client's data match.
    package func highestMatch(_ data: MatchData) -> UInt32 {
        var highest: UInt32 = 0
        data.forEach { number, uid in
            guard number <= count else { return false }
            if self.uid(at: number) == uid { highest = uid }
            return true
        }
        return highest
    }

    /// Sequence numbers and the UIDs that a client believes them to have. RFC 7162 section 3.2.5.2.
    package struct MatchData: Sendable {
        private let numbers: [ClosedRange<UInt32>]
        private let uids: [ClosedRange<UInt32>]

        /// Returns nil if the two differ in length.
        ///
        /// - Parameters:
        ///   - numbers: ascending and disjoint, as `uids` is.
        package init?(numbers: [ClosedRange<UInt32>], uids: [ClosedRange<UInt32>]) {
            func total(_ ranges: [ClosedRange<UInt32>]) -> UInt64 { ranges.reduce(0) { $0 + UInt64($1.count) } }
            guard total(numbers) == total(uids) else { return nil }
            self.numbers = numbers
            self.uids = uids
        }

        /// Calls `body` with each pair in ascending order, until it returns false.
        package func forEach(_ body: (_ number: UInt32, _ uid: UInt32) -> Bool) {
            var uidRange = 0
            var uidOffset: UInt32 = 0
            for range in numbers {
                for number in range {
                    guard uidRange < uids.count, body(number, uids[uidRange].lowerBound + uidOffset) else { return }
                    if uids[uidRange].lowerBound + uidOffset == uids[uidRange].upperBound {
                        (uidRange, uidOffset) = (uidRange + 1, 0)
                    } else {
                        uidOffset += 1
                    }
                }
            }
        }
    }
}
