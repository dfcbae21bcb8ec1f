import IMAPCodec
import MailAccess

/// The answer to a search or sort with RETURN. RFC 4731, RFC 5182, RFC 5267, RFC 9394.
struct SearchAnswer {
    let options: IMAPSearchReturn
    /// What was found, in the order asked for; sequence numbers and UIDs beside each other.
    let numbers: [UInt32]
    let uids: [UInt32]

    /// The messages that stand in the window asked for.
    private var window: Range<Int>? { options.partial?.places(of: uids.count) }

    /// Nil when there is nothing to answer: SAVE alone (RFC 5182 section 2.1).
    func result(tag: String, byUID: Bool, modSeq: UInt64?) -> IMAPExtendedSearchResult? {
        let isAsked = options.min || options.max || options.all || options.count || options.partial != nil
        guard isAsked || !options.save else { return nil }
        let found = byUID ? uids : numbers
        var result = IMAPExtendedSearchResult(tag: tag, byUID: byUID)
        if options.min { result.min = found.first }
        if options.max { result.max = found.last }
        // A sorted result comes in its order; only what ascends one by one is a range (RFC 5267 section 3.2).
        if options.all || !isAsked { result.all = .init(ascending: found) }
        if options.count { result.count = UInt32(clamping: found.count) }
        if let partial = options.partial, let window { result.partial = (partial, .init(ascending: found[window])) }
        result.modSeq = modSeq
        return result
    }

    /// The UIDs of the messages that the answer is about: with MIN, MAX or PARTIAL alone these, else all. It is these
    /// that SAVE keeps (RFC 5182 section 2.4, RFC 9394 section 3.2) and whose mod-sequences count (RFC 4731 section
    /// 3.2).
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
    /// The places of a list of `count` elements that are meant, from 0; empty when it has none of them.
    func places(of count: Int) -> Range<Int> {
        let all = 0..<count
        let first = Int(positions.lowerBound)
        let last = Int(positions.upperBound)
        let asked = fromEnd ? (count - last)..<(count - first + 1) : (first - 1)..<last
        return asked.clamped(to: all)
    }
}
