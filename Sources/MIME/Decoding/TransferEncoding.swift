/// A Content-Transfer-Encoding (RFC 2045 section 6).
public enum TransferEncoding: Sendable, Equatable {
    /// 7bit, 8bit or binary.
    case identity
    case base64
    case quotedPrintable
    /// Any other; its bytes pass undecoded.
    case unknown

    public init(named name: [UInt8]) {
        if name.equalsIgnoringCase("base64") {
            self = .base64
        } else if name.equalsIgnoringCase("quoted-printable") {
            self = .quotedPrintable
        } else if ["7bit", "8bit", "binary"].contains(where: name.equalsIgnoringCase) {
            self = .identity
        } else {
            self = .unknown
        }
    }

    /// Decodes all of `range` at once; malformed input is decoded as far as possible.
    public func decode(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [UInt8] {
        var decoder = TransferDecoder(self)
        var output: [UInt8] = []
        decoder.decode(bytes, range, into: &output)
        decoder.finish(into: &output)
        return output
    }
}

/// Decodes a transfer encoding piece by piece; the pieces may be split anywhere.
public struct TransferDecoder: Sendable {
    private enum State {
        case identity
        case base64(Base64Decoder)
        case quotedPrintable(QuotedPrintableDecoder)
    }

    private var state: State

    /// Whether the bytes pass unchanged.
    var isIdentity: Bool { if case .identity = state { true } else { false } }

    public init(_ encoding: TransferEncoding) {
        switch encoding {
        case .identity, .unknown: state = .identity
        case .base64: state = .base64(Base64Decoder())
        case .quotedPrintable: state = .quotedPrintable(QuotedPrintableDecoder())
        }
    }

    /// Appends the decoded piece; at most the size of the piece plus about 1 KiB held back before.
    ///
    /// - Parameter range: offsets into `bytes`, clamped to them.
    public mutating func decode(_ bytes: Span<UInt8>, _ range: Range<Int>, into output: inout [UInt8]) {
        let range = range.clamped(to: 0..<bytes.count)
        switch state {
        case .identity:
            output.append(bytes, range)
        case .base64(var decoder):
            decoder.decode(bytes, range, into: &output)
            state = .base64(decoder)
        case .quotedPrintable(var decoder):
            decoder.decode(bytes, range, into: &output)
            state = .quotedPrintable(decoder)
        }
    }

    /// Appends the bytes held back; call it once, at the end.
    public mutating func finish(into output: inout [UInt8]) {
        switch state {
        case .identity:
            break
        case .base64(var decoder):
            decoder.finish(into: &output)
            state = .base64(decoder)
        case .quotedPrintable(var decoder):
            decoder.finish(into: &output)
            state = .quotedPrintable(decoder)
        }
    }
}
