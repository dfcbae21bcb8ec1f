/// Reads `; name=value` pairs up to the end of a field.
enum ParameterParser {
    static func parse(_ lexer: inout FieldLexer, limit: Int) -> ParameterList {
        var raw: [Parameter] = []
        while raw.count < limit {
            lexer.skipBlanksAndComments()
            _ = lexer.run { $0 == ASCII.semicolon }
            guard lexer.take(ASCII.semicolon) else { break }
            lexer.skipBlanksAndComments()
            let name = lexer.token()
            lexer.skipBlanksAndComments()
            guard !name.isEmpty, lexer.take(ASCII.equals) else { continue }
            lexer.skipBlanksAndComments()
            if lexer.current == ASCII.quote {
                raw.append(Parameter(name: name, value: lexer.quotedString()))
            } else {
                // More than a token: boundaries with "=" and file names with blanks are often left unquoted.
                let value = lexer.run { $0 == ASCII.semicolon || $0 == ASCII.openParen }
                raw.append(Parameter(name: name, value: value.trimmed))
            }
        }
        return ParameterList(Continuations.join(raw))
    }
}
