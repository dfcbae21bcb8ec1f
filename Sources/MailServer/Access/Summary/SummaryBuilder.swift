import IMAPCodec
package import MIME

/// Makes a message's summary while the message streams in.
package struct SummaryBuilder: Sendable {
    private let limits: ParseLimits
    private let memory: Int
    private var scanner: MessageScanner

    /// Bytes after which the memory is looked at.
    private static let step = 8_192

    /// - Parameter memory: bytes that may be kept of the message meanwhile.
    package init(limits: ParseLimits, memory: Int) {
        self.limits = limits
        self.memory = memory
        scanner = MessageScanner(limits: limits)
    }

    /// About the memory that is kept of the message, in bytes.
    package var used: Int { scanner.memory }

    /// Takes the next piece.
    ///
    /// - Returns: False when the message takes more memory than it may: it gets no summary then.
    package mutating func feed(_ bytes: Span<UInt8>) -> Bool {
        var start = 0
        while start < bytes.count {
            let end = min(start + Self.step, bytes.count)
            scanner.feed(bytes.extracting(start..<end))
            if scanner.memory > memory { return false }
            start = end
        }
        return true
    }

    /// Returns the summary of the whole message; nil if it is too large to cache. To be called once, at the end.
    package mutating func finish() -> [UInt8]? {
        let message = scanner.finish()
        let header = scanner.topHeader ?? []
        let block = HeaderBlock(scanning: header.span, limits: limits)
        return MessageSummary.make(of: message, header: header, block, preview: nil, limits: limits)
    }
}

extension MessageSummary {
    /// Makes the summary of a parsed message.
    ///
    /// - Parameters:
    ///   - header: the message's own header, possibly with bytes after it.
    ///   - preview: nil if it was not requested.
    package static func make(
        of message: Message, header: [UInt8], _ block: HeaderBlock, preview: String?, limits: ParseLimits
    ) -> [UInt8]? {
        let structure = IMAPBodyStructure(message.root)
        let (hasOneForm, hasBody) = (!structure.holdsGlobalMessage, !message.root.body.isEmpty)
        return encode(limits: limits) { section in
            switch section {
            case .envelope: IMAPEnvelope(message.envelope).rendered()
            case .body: hasOneForm ? structure.rendered(extensible: false) : nil
            case .bodyStructure: hasOneForm ? structure.rendered(extensible: true) : nil
            case .fields: block.raw(SummaryFields.selection, in: header.span, hasBody: hasBody)
            case .preview: preview.map { Array($0.utf8) }
            }
        }
    }

    /// Makes a summary of a message of which only the header was read.
    ///
    /// - Parameter hasBody: whether anything follows the header.
    package static func make(
        ofHeader header: [UInt8], _ block: HeaderBlock, hasBody: Bool, limits: ParseLimits
    ) -> [UInt8]? {
        encode(limits: limits) { section in
            switch section {
            case .envelope: IMAPEnvelope(Envelope(block, in: header.span, limits: limits)).rendered()
            case .fields: block.raw(SummaryFields.selection, in: header.span, hasBody: hasBody)
            case .body, .bodyStructure, .preview: nil
            }
        }
    }
}
