import Primitives

/// Parses one command line without its CRLF into a typed command (RFC 5321 section 4.1.1 and extensions).
///
/// Verbs and keywords are case-insensitive. White space at the end of the line, and between `FROM:` or `TO:` and the
/// path, is accepted, because clients send it.
public enum SMTPCommandParser {
    /// The maximum length of the argument of EHLO, HELO and LHLO, in octets.
    static let maxHostLength = 255
    private static let maxVerbLength = 32

    /// Parses a command line. No input traps.
    /// - Throws: The syntax error, with its reply.
    public static func parse(_ line: [UInt8]) throws(SMTPSyntaxError) -> SMTPCommand {
        guard String(validating: line, as: UTF8.self) != nil else { throw .notUTF8 }
        var bytes = line
        while let last = bytes.last, last == UInt8(ascii: " ") || last == UInt8(ascii: "\t") { bytes.removeLast() }
        var scanner = ByteScanner(bytes)
        let verb = String(checked: scanner.scanRun { $0 > 0x20 && $0 != 0x7F }.prefix(maxVerbLength + 1)).uppercased()
        guard !verb.isEmpty else { throw .command("Empty command") }
        switch verb {
        case "EHLO": return .ehlo(try parseHost(&scanner, verb))
        case "HELO": return .helo(try parseHost(&scanner, verb))
        case "LHLO": return .lhlo(try parseHost(&scanner, verb))
        case "MAIL": return try parseMail(&scanner)
        case "RCPT": return try parseRcpt(&scanner)
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

    private static func parseHost(_ scanner: inout ByteScanner, _ verb: String) throws(SMTPSyntaxError) -> String {
        scanner.skipSpaces()
        let name = scanner.scanRun { $0 > 0x20 && $0 != 0x7F }
        guard !name.isEmpty, name.count <= maxHostLength, scanner.isAtEnd else {
            throw .arguments("Syntax: \(verb) hostname")
        }
        return String(checked: name)
    }

    private static func parseText(_ scanner: inout ByteScanner, _ verb: String) throws(SMTPSyntaxError) -> String {
        scanner.skipSpaces()
        let text = scanner.scanRest()
        guard !text.isEmpty else { throw .arguments("Syntax: \(verb) address") }
        return String(checked: text)
    }

    private static func parseMail(_ scanner: inout ByteScanner) throws(SMTPSyntaxError) -> SMTPCommand {
        guard scanner.skipSpaces(), scanner.scan(keyword: "FROM:") else {
            throw .command("Syntax: MAIL FROM:<address>")
        }
        scanner.skipSpaces()
        let path: SMTPReversePath
        switch try parsePath(&scanner, isSender: true) {
        case .null: path = .null
        case .address(let address): path = .address(address)
        case .postmaster: throw .address("The sender address has no domain", isSender: true)
        }
        return .mail(path, try SMTPParameterParser.parseMail(&scanner))
    }

    private static func parseRcpt(_ scanner: inout ByteScanner) throws(SMTPSyntaxError) -> SMTPCommand {
        guard scanner.skipSpaces(), scanner.scan(keyword: "TO:") else { throw .command("Syntax: RCPT TO:<address>") }
        scanner.skipSpaces()
        let path: SMTPForwardPath
        switch try parsePath(&scanner, isSender: false) {
        case .null: throw .address("The recipient address is empty", isSender: false)
        case .address(let address): path = .address(address)
        case .postmaster: path = .postmaster
        }
        return .rcpt(path, try SMTPParameterParser.parseRcpt(&scanner))
    }

    private static func parsePath(
        _ scanner: inout ByteScanner, isSender: Bool
    ) throws(SMTPSyntaxError) -> ByteScanner.Path {
        do throws(ByteScanner.PathError) {
            return try scanner.scanPath()
        } catch {
            switch error {
            case .notBracketed: throw .command("The address must be in angle brackets")
            case .malformed: throw .address("Malformed address", isSender: isSender)
            case .tooLong: throw .address("The address is too long", isSender: isSender)
            }
        }
    }

    private static func parseChunk(_ scanner: inout ByteScanner) throws(SMTPSyntaxError) -> SMTPCommand {
        guard scanner.skipSpaces() else { throw .chunkSize }
        let digits = scanner.scanRun(while: \.isDigit)
        guard !digits.isEmpty, digits.count <= 20, let size = Int(String(checked: digits)) else { throw .chunkSize }
        let last = scanner.skipSpaces()
        if last {
            guard scanner.scan(keyword: "LAST") else { throw .chunkSize }
        }
        guard scanner.isAtEnd else { throw .chunkSize }
        return .bdat(size: size, last: last)
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
