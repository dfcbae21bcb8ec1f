/// A Content-Disposition field (RFC 2183).
public struct ContentDisposition: Sendable, Equatable {
    /// "inline", "attachment" or another token, as written.
    public let kind: [UInt8]
    public let parameters: ParameterList

    /// Parses an unfolded value; nil if it does not begin with a token.
    public init?(parsing value: [UInt8], limits: ParseLimits = .standard) {
        self.init(parsing: value, parameters: limits.parameters)
    }

    init?(parsing value: [UInt8], parameters limit: Int) {
        var lexer = FieldLexer(value)
        lexer.skipBlanksAndComments()
        kind = lexer.token()
        guard !kind.isEmpty else { return nil }
        parameters = ParameterParser.parse(&lexer, limit: limit)
    }
}
