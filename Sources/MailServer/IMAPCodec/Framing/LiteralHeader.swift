/// The `{n}`, `{n+}` or `~{n}` that ends a line. RFC 9051 section 4.3, RFC 7888.
struct LiteralHeader: Equatable {
    /// Octets announced; `Int.max` for a number that does not fit.
    var size: Int
    var isSynchronising: Bool
    var isBinary: Bool
    /// Octets of the header itself, `~` included, line end not.
    var length: Int

    /// Octets within which a header's digits must end; a longer run of digits is no header.
    static let maximumLength = 64

    /// Looks for a header at the end of a line given without its line end; nil when there is none.
    init?(endOf line: some BidirectionalCollection<UInt8>) {
        var index = line.endIndex
        var length = 0
        func previous() -> UInt8? { index > line.startIndex ? line[line.index(before: index)] : nil }
        func step() {
            line.formIndex(before: &index)
            length += 1
        }
        guard previous() == .closeBrace else { return nil }
        step()
        isSynchronising = previous() != .plus
        if !isSynchronising { step() }
        var size = 0
        var factor = 1
        let lengthBeforeDigits = length
        while let byte = previous(), byte.isDigit, length < Self.maximumLength {
            step()
            if byte != UInt8(ascii: "0") {
                let (product, overflow) = factor.multipliedReportingOverflow(by: Int(byte &- 0x30))
                let (sum, carry) = size.addingReportingOverflow(product)
                size = overflow || carry || factor == 0 ? .max : sum
            }
            // A factor of 0 marks positions beyond what an Int holds.
            let (next, overflow) = factor.multipliedReportingOverflow(by: 10)
            factor = overflow ? 0 : next
        }
        guard length > lengthBeforeDigits, previous() == .openBrace else { return nil }
        step()
        isBinary = previous() == .tilde
        if isBinary { step() }
        self.size = size
        self.length = length
    }
}
