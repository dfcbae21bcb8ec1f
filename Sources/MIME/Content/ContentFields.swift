/// The Content-* fields of a part (RFC 2045, 2183, 1864, 2557, 3282); the first of each name counts.
public struct ContentFields: Sendable, Equatable {
    /// The type that the part is treated as: see `Part.structure` for when it differs from the field.
    public internal(set) var type: ContentType
    /// The Content-Transfer-Encoding as written; "7bit" if there is none.
    public private(set) var encoding: [UInt8] = sevenBit
    public private(set) var id: [UInt8]?
    public private(set) var description: [UInt8]?
    public private(set) var md5: [UInt8]?
    public private(set) var disposition: ContentDisposition?
    public private(set) var languages: [[UInt8]] = []
    public private(set) var location: [UInt8]?

    private static let sevenBit = Array("7bit".utf8)

    /// - Parameter entries: how many more entries may be taken; those taken are subtracted.
    init(
        _ fields: [HeaderField], in bytes: Span<UInt8>, isInDigest: Bool, limits: ParseLimits, entries: inout Int
    ) {
        var type: ContentType?
        var hasEncoding = false
        for field in fields {
            var value: [UInt8] { HeaderValue.unfolded(bytes, field.value) }
            switch FieldName(bytes, field.name) {
            case .contentType:
                if type == nil {
                    type = ContentType(parsing: value, parameters: min(limits.parameters, entries))
                    entries -= type?.parameters.parameters.count ?? 0
                }
            case .contentTransferEncoding:
                guard !hasEncoding else { continue }
                let token = Self.tokens(value, limit: 1)
                if let first = token.first {
                    encoding = first
                    hasEncoding = true
                }
            case .contentID:
                if id == nil { id = value }
            case .contentDescription:
                if description == nil { description = value }
            case .contentMD5:
                if md5 == nil { md5 = value }
            case .contentDisposition:
                if disposition == nil {
                    disposition = ContentDisposition(parsing: value, parameters: min(limits.parameters, entries))
                    entries -= disposition?.parameters.parameters.count ?? 0
                }
            case .contentLanguage:
                if languages.isEmpty {
                    languages = Self.tokens(value, limit: min(limits.parameters, entries))
                    entries -= languages.count
                }
            case .contentLocation:
                if location == nil { location = value }
            default:
                continue
            }
        }
        self.type = type ?? (isInDigest ? .embeddedMessage : .textPlain)
    }

    /// The tokens of a comma-separated list; comments and non-tokens are left out.
    private static func tokens(_ value: [UInt8], limit: Int) -> [[UInt8]] {
        var lexer = FieldLexer(value)
        var result: [[UInt8]] = []
        while !lexer.isAtEnd, result.count < limit {
            lexer.skipBlanksAndComments()
            let token = lexer.token()
            if token.isEmpty { lexer.advance() } else { result.append(token) }
        }
        return result
    }
}
