import IMAPCodec
import MIME

/// Makes a message's summary while the message streams in.
struct SummaryBuilder: Sendable {
    private let limits: ParseLimits
    private var scanner: MessageScanner

    init(limits: ParseLimits) {
        self.limits = limits
        scanner = MessageScanner(limits: limits)
    }

    /// Takes the next piece.
    mutating func feed(_ bytes: Span<UInt8>) { scanner.feed(bytes) }

    /// The summary of all that came; nil for a message that is not worth one. To be called once, at the end.
    mutating func finish() -> [UInt8]? {
        let message = scanner.finish()
        let header = scanner.topHeader ?? []
        return MessageSummary.make(of: message, header: header, limits: limits)
    }
}

extension MessageSummary {
    /// - Parameter header: the message's own header with the blank line that ends it.
    static func make(of message: Message, header: [UInt8], limits: ParseLimits) -> [UInt8]? {
        let block = HeaderBlock(scanning: header.span, limits: limits)
        let structure = IMAPBodyStructure(message.root)
        return encode(limits: limits) { section in
            switch section {
            case .envelope: IMAPEnvelope(message.envelope).rendered()
            case .body: structure.rendered(extensible: false)
            case .bodyStructure: structure.rendered(extensible: true)
            case .fields: block.isTruncated ? nil : block.raw(SummaryFields.selection, in: header.span)
            case .preview: nil
            }
        }
    }

    /// Of a message whose header alone was read.
    static func make(ofHeader header: [UInt8], _ block: HeaderBlock, limits: ParseLimits) -> [UInt8]? {
        encode(limits: limits) { section in
            switch section {
            case .envelope: IMAPEnvelope(Envelope(block, in: header.span, limits: limits)).rendered()
            case .fields: block.isTruncated ? nil : block.raw(SummaryFields.selection, in: header.span)
            case .body, .bodyStructure, .preview: nil
            }
        }
    }
}
