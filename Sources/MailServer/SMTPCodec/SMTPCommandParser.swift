import Primitives

/// Parses one command line without its CRLF into a typed command (RFC 5321 section 4.1.1 and extensions).
///
/// Verbs and keywords are case-insensitive. White space at the end of the line, and between `FROM:` or `TO:` and the
/// path, is accepted, because clients send it.
public enum SMTPCommandParser {
    private static let maxVerbLength = 32

    /// Parses a command line. No input traps.
    /// - Parameter maxPathLength: the maximum length of an address with its angle brackets, at least 256 octets (RFC 5321
    ///   section 4.5.3.1.3).
    /// - Throws: The syntax error, with its reply.
    public static func parse(_ line: [UInt8], maxPathLength: Int = 256) throws(SMTPSyntaxError) -> SMTPCommand {
        var bytes = line
        while let last = bytes.last, last == UInt8(ascii: " ") || last == UInt8(ascii: "\t") { bytes.removeLast() }
        var scanner = ByteScanner(bytes)
        let verb = String(checked: scanner.scanRun { $0 > 0x20 && $0 != 0x7F }.prefix(maxVerbLength + 1)).uppercased()
        // A host name may be in any charset: it is only displayed, never looked up.
        guard verb == "EHLO" || verb == "HELO" || String(validating: line, as: UTF8.self) != nil else { throw .notUTF8 }
        guard !verb.isEmpty else { throw .emptyCommand }
        switch verb {
        case "EHLO": return .ehlo(try parseHost(&scanner, verb))
        case "HELO": return .helo(try parseHost(&scanner, verb))
        case "LHLO": return .lhlo(try parseHost(&scanner, verb))
        case "MAIL": return try parseMail(&scanner, maxPathLength)
        case "RCPT": return try parseRcpt(&scanner, maxPathLength)
        case "DATA": return try withoutArguments(.data, scanner, verb)
        case "BDAT": return try parseChunk(&scanner)
        case "RSET": return try withoutArguments(.rset, scanner, verb)
        case "NOOP": return .noop
        case "QUIT": return try withoutArguments(.quit, scanner, verb)
        case "VRFY": return .vrfy(try parseText(&scanner, verb))
        case "EXPN": return .expn(try parseText(&scanner, verb))
        case "HELP": return .help
        case "STARTTLS": return try withoutArguments(.startTLS, scanner, verb)
        case "AUTH": return try parseAuth(&scanner)
        case "GET", "POST", "PUT", "HEAD", "CONNECT", "OPTIONS": throw .notSMTP
        default: return .unknown(String(verb.prefix(maxVerbLength)))
        }
    }

    private static func withoutArguments(
        _ command: SMTPCommand, _ scanner: ByteScanner, _ verb: String
    ) throws(SMTPSyntaxError) -> SMTPCommand {
        guard scanner.isAtEnd else { throw .arguments("Syntax: \(verb)") }
        return command
    }

    /// Accepts any text: clients use all kinds of names, and nothing depends on them.
    private static func parseHost(_ scanner: inout ByteScanner, _ verb: String) throws(SMTPSyntaxError) -> String {
        scanner.skipSpaces()
        let name = scanner.scanRest()
        guard !name.isEmpty else { throw .arguments("Syntax: \(verb) hostname") }
        return String(checked: name)
    }

    private static func parseText(_ scanner: inout ByteScanner, _ verb: String) throws(SMTPSyntaxError) -> String {
        scanner.skipSpaces()
        let text = scanner.scanRest()
        guard !text.isEmpty else { throw .arguments("Syntax: \(verb) address") }
        return String(checked: text)
    }

    private static func parseMail(_ scanner: inout ByteScanner, _ maxPathLength: Int) throws(SMTPSyntaxError)
        -> SMTPCommand
    {
        guard scanner.skipSpaces(), scanner.scan(keyword: "FROM:") else {
            throw .command("Syntax: MAIL FROM:<address>")
        }
        scanner.skipSpaces()
        let path: SMTPReversePath
        switch try parsePath(&scanner, isSender: true, maxPathLength) {
        case .null: path = .null
        case .address(let address): path = .address(address)
        case .postmaster: throw .address("The sender address has no domain", isSender: true)
        }
        return .mail(path, try SMTPParameterParser.parseMail(&scanner))
    }

    private static func parseRcpt(_ scanner: inout ByteScanner, _ maxPathLength: Int) throws(SMTPSyntaxError)
        -> SMTPCommand
    {
        guard scanner.skipSpaces(), scanner.scan(keyword: "TO:") else { throw .command("Syntax: RCPT TO:<address>") }
        scanner.skipSpaces()
        let path: SMTPForwardPath
        switch try parsePath(&scanner, isSender: false, maxPathLength) {
        case .null: throw .address("The recipient address is empty", isSender: false)
        case .address(let address): path = .address(address)
        case .postmaster: path = .postmaster
        }
        return .rcpt(path, try SMTPParameterParser.parseRcpt(&scanner))
    }

    private static func parsePath(
        _ scanner: inout ByteScanner, isSender: Bool, _ maxLength: Int
    ) throws(SMTPSyntaxError) -> ByteScanner.Path {
        do throws(ByteScanner.PathError) {
            return try scanner.scanPath(maxLength: maxLength)
        } catch {
            switch error {
            case .notBracketed: throw .command("The address must be in angle brackets")
            case .malformed: throw .address("Malformed address", isSender: isSender)
            case .tooLong: throw .address("The address is too long", isSender: isSender)
            }
        }
    }

    /// If the size can be read, a chunk of that size follows, whatever else is wrong with the command.
    private static func parseChunk(_ scanner: inout ByteScanner) throws(SMTPSyntaxError) -> SMTPCommand {
        guard scanner.skipSpaces(), let size = Int(String(checked: scanner.scanRun(while: \.isDigit))),
            scanner.isAtEnd || scanner.skipSpaces()
        else { throw .chunkSize }
        guard !scanner.isAtEnd else { return .bdat(size: size, last: false) }
        guard scanner.scan(keyword: "LAST"), scanner.isAtEnd else { throw .chunkArguments(size: size) }
        return .bdat(size: size, last: true)
    }

    /// True if a line may be a malformed `verb` command.
    static func begins(_ line: some Sequence<UInt8>, with verb: String) -> Bool {
        let text = line.drop(while: { $0 <= 0x20 || $0 == 0x7F }).prefix(verb.utf8.count)
        return text.map(\.uppercasedASCII).elementsEqual(verb.utf8)
    }

    private static func parseAuth(_ scanner: inout ByteScanner) throws(SMTPSyntaxError) -> SMTPCommand {
        scanner.skipSpaces()
        let mechanism = scanner.scanRun { $0.isAlphanumeric || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
        guard !mechanism.isEmpty, mechanism.count <= 20 else { throw .arguments("Syntax: AUTH mechanism [response]") }
        let separated = scanner.skipSpaces()
        let rest = scanner.scanRest()
        guard rest.isEmpty || separated else { throw .arguments("Syntax: AUTH mechanism [response]") }
        let response = rest.isEmpty ? nil : authResponse(isInitial: true, rest)
        return .auth(mechanism: String(checked: mechanism).uppercased(), initialResponse: response)
    }

    /// Parses a response line. A lone `=` means empty data, in an initial response only (RFC 4954 section 4).
    static func authResponse(isInitial: Bool, _ text: some BidirectionalCollection<UInt8>) -> SMTPAuthResponse {
        if text.count == 1 {
            if text.first == UInt8(ascii: "=") && isInitial { return .data([]) }
            if text.first == UInt8(ascii: "*") && !isInitial { return .cancel }
        }
        return Base64.decode(text).map(SMTPAuthResponse.data) ?? .malformed
    }
}
