/// A Content-Type field (RFC 2045 section 5).
public struct ContentType: Sendable, Equatable {
    /// The type as written; compare with `isType`.
    public let type: [UInt8]
    /// The subtype as written; compare with `isType`.
    public let subtype: [UInt8]
    /// Text without a charset has `charset=us-ascii` added.
    public let parameters: ParameterList

    init(type: [UInt8], subtype: [UInt8], parameters: ParameterList = ParameterList()) {
        self.type = type
        self.subtype = subtype
        var list = parameters
        if type.equalsIgnoringCase("text"), list.value(named: "charset") == nil, list.value(named: "charset*") == nil {
            list.parameters.append(Parameter(name: Array("charset".utf8), value: Array("us-ascii".utf8)))
        }
        self.parameters = list
    }

    private init(_ type: StaticString, _ subtype: StaticString, _ parameters: ParameterList = ParameterList()) {
        self.init(
            type: Array("\(type)".utf8), subtype: Array("\(subtype)".utf8), parameters: parameters)
    }

    /// The type of a part without a usable Content-Type.
    public static let textPlain = ContentType("text", "plain")
    /// The type of a part of multipart/digest without a usable Content-Type (RFC 2046 section 5.1.5).
    public static let embeddedMessage = ContentType("message", "rfc822")
    /// Replaces the type of a multipart or message that is not parsed further.
    public static let opaque = ContentType("application", "octet-stream")

    /// Parses an unfolded value; nil if it has no type.
    ///
    /// A bare "text" or "multipart" is taken for text/plain or multipart/mixed.
    public init?(parsing value: [UInt8], limits: ParseLimits = .standard) {
        self.init(parsing: value, parameters: limits.parameters)
    }

    init?(parsing value: [UInt8], parameters limit: Int) {
        var lexer = FieldLexer(value)
        lexer.skipBlanksAndComments()
        let type = lexer.token()
        guard !type.isEmpty else { return nil }
        lexer.skipBlanksAndComments()
        var subtype: [UInt8] = []
        if lexer.take(ASCII.slash) {
            lexer.skipBlanksAndComments()
            subtype = lexer.token()
        }
        let parameters = ParameterParser.parse(&lexer, limit: limit)
        if !subtype.isEmpty {
            self.init(type: type, subtype: subtype, parameters: parameters)
        } else if type.equalsIgnoringCase("text") {
            self.init("text", "plain", parameters)
        } else if type.equalsIgnoringCase("multipart") {
            self.init("multipart", "mixed", parameters)
        } else {
            return nil
        }
    }

    /// Whether the type is `type` and, if given, the subtype `subtype`; both in lower case.
    public func isType(_ type: StaticString, _ subtype: StaticString? = nil) -> Bool {
        guard self.type.equalsIgnoringCase(type) else { return false }
        guard let subtype else { return true }
        return self.subtype.equalsIgnoringCase(subtype)
    }

    /// Whether a part of this type holds a message to parse.
    var holdsMessage: Bool { isType("message", "rfc822") || isType("message", "global") }
}
