package import IMAPCodec

extension IMAPPartial {
    /// What a partial leaves of a range; one that begins beyond the end gives nothing (RFC 9051 section 6.4.5).
    package static func range(of partial: IMAPPartial?, in range: Range<Int>) -> Range<Int> {
        guard let partial else { return range }
        let start = range.lowerBound + Int(min(partial.offset, UInt64(range.count)))
        return start..<start + Int(min(partial.count, UInt64(range.upperBound - start)))
    }
}
