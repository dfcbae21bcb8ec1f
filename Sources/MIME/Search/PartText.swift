/// Decodes the body of a text part to UTF-8, piece by piece.
struct PartText: ~Copyable {
    private var transfer: TransferDecoder
    private var charset: CharsetDecoder
    private var decoded: [UInt8] = []
    private var text: [UInt8] = []

    init(_ fields: ContentFields) {
        transfer = TransferDecoder(TransferEncoding(named: fields.encoding))
        charset = CharsetDecoder(Charset(named: fields.type.parameters.text(named: "charset") ?? []))
    }

    /// Passes on the text of the next piece, unchanged if there is nothing to decode.
    mutating func decode(_ piece: Span<UInt8>, _ take: (Span<UInt8>) -> Void) {
        if transfer.isIdentity {
            convert(piece, take)
        } else {
            var decoded = decoded
            self.decoded = []
            decoded.removeAll(keepingCapacity: true)
            transfer.decode(piece, 0..<piece.count, into: &decoded)
            convert(decoded.span, take)
            self.decoded = decoded
        }
    }

    private mutating func convert(_ piece: Span<UInt8>, _ take: (Span<UInt8>) -> Void) {
        if charset.isIdentity {
            take(piece)
        } else {
            text.removeAll(keepingCapacity: true)
            charset.decode(piece, into: &text)
            take(text.span)
        }
    }

    /// Passes on the bytes held back; call it once, at the end.
    mutating func finish(_ take: (Span<UInt8>) -> Void) {
        var decoded: [UInt8] = []
        transfer.finish(into: &decoded)
        convert(decoded.span, take)
        text.removeAll(keepingCapacity: true)
        charset.finish(into: &text)
        take(text.span)
    }
}
