package import IMAPCodec

extension IMAPPartial {
    /// Applies a partial to a range; a partial beyond the end selects nothing (RFC 9051 section 6.4.5).
    package static func range(of partial: IMAPPartial?, in range: Range<Int>) -> Range<Int> {
        guard let partial else { return range }
        let start = range.lowerBound + Int(min(partial.offset, UInt64(range.count)))
        return start..<start + Int(min(partial.count, UInt64(range.upperBound - start)))
    }
}
