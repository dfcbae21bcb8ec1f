import IMAPCodec
import MailAccess

/// The response to a search or sort with RETURN. RFC 4731, RFC 5182, RFC 5267, RFC 9394.
struct SearchAnswer {
    let options: IMAPSearchReturn
    /// The messages found, in the requested order, as parallel lists of sequence numbers and UIDs.
    let numbers: [UInt32]
    let uids: [UInt32]

    /// The indices of the messages in the requested window (PARTIAL).
    private var window: Range<Int>? { options.partial?.places(of: uids.count) }

    /// Returns the ESEARCH result; nil when none is due, for SAVE alone (RFC 5182 section 2.1).
    func result(tag: String, byUID: Bool, modSeq: UInt64?) -> IMAPExtendedSearchResult? {
        let isAsked = options.min || options.max || options.all || options.count || options.partial != nil
        guard isAsked || !options.save else { return nil }
        let found = byUID ? uids : numbers
        var result = IMAPExtendedSearchResult(tag: tag, byUID: byUID)
        if options.min { result.min = found.first }
        if options.max { result.max = found.last }
        // A sorted result keeps its order; only consecutive ascending numbers form a range (RFC 5267 section 3.2).
        if options.all || !isAsked { result.all = .init(ascending: found) }
        if options.count { result.count = UInt32(clamping: found.count) }
        if let partial = options.partial, let window { result.partial = (partial, .init(ascending: found[window])) }
        result.modSeq = modSeq
        return result
    }

    /// The UIDs of the messages that the response refers to: those of MIN, MAX and PARTIAL if neither ALL nor COUNT is
    /// requested, else all. SAVE keeps these (RFC 5182 section 2.4, RFC 9394 section 3.2), and MODSEQ is the highest of
    /// theirs (RFC 4731 section 3.2).
    var meant: [UInt32] {
        let isNarrow = options.min || options.max || options.partial != nil
        guard isNarrow, !options.all, !options.count else { return uids }
        var meant: Set<UInt32> = []
        if options.min, let first = uids.first { meant.insert(first) }
        if options.max, let last = uids.last { meant.insert(last) }
        if let window { meant.formUnion(uids[window]) }
        return Array(meant)
    }
}

extension IMAPPartialRange {
    /// Returns the indices of the window in a list of `count` elements, from 0; empty when the window lies outside.
    func places(of count: Int) -> Range<Int> {
        let all = 0..<count
        let first = Int(positions.lowerBound)
        let last = Int(positions.upperBound)
        let asked = fromEnd ? (count - last)..<(count - first + 1) : (first - 1)..<last
        return asked.clamped(to: all)
    }
}
