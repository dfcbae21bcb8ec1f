/// Parses the ESMTP parameters after a path: `KEY` or `KEY=value`, separated by spaces (RFC 5321 section 4.1.2).
struct SMTPParameterParser {
    static func parseMail(_ scanner: inout ByteScanner) throws(SMTPSyntaxError) -> SMTPMailParameters {
        var result = SMTPMailParameters()
        try scanAll(&scanner) { (key, value) throws(SMTPSyntaxError) in
            switch (key, value) {
            case ("SIZE", let value?): result.size = try size(value)
            case ("BODY", let value?): result.body = try bodyType(value)
            case ("SMTPUTF8", nil): result.smtpUTF8 = true
            // Nothing depends on it, and clients forget to encode it.
            case ("AUTH", let value?): result.auth = try? xtext(value, "AUTH")
            case ("RET", let value?): result.returnContent = try returnContent(value)
            case ("ENVID", let value?): result.envelopeID = try xtext(value, "ENVID")
            case ("REQUIRETLS", nil): result.requireTLS = true
            case ("SIZE", nil), ("BODY", nil), ("AUTH", nil), ("RET", nil), ("ENVID", nil), ("SMTPUTF8", _?),
                ("REQUIRETLS", _?):
                throw .parameter("Malformed parameter \(key)")
            default: throw .unknownParameter
            }
        }
        return result
    }

    static func parseRcpt(_ scanner: inout ByteScanner) throws(SMTPSyntaxError) -> SMTPRcptParameters {
        var result = SMTPRcptParameters()
        try scanAll(&scanner) { (key, value) throws(SMTPSyntaxError) in
            switch (key, value) {
            case ("NOTIFY", let value?): result.notify = try notify(value)
            case ("ORCPT", let value?): result.originalRecipient = try originalRecipient(value)
            case ("NOTIFY", nil), ("ORCPT", nil): throw .parameter("Malformed parameter \(key)")
            default: throw .unknownParameter
            }
        }
        return result
    }

    /// Hands each parameter to `take`, which throws for one that is not known: so there are at most as many as are.
    private static func scanAll(
        _ scanner: inout ByteScanner,
        _ take: (_ key: String, _ value: ArraySlice<UInt8>?) throws(SMTPSyntaxError) -> Void
    ) throws(SMTPSyntaxError) {
        var seen: Set<String> = []
        while !scanner.isAtEnd {
            guard scanner.skipSpaces() else { throw .command("Expected a space after the address") }
            if scanner.isAtEnd { break }
            let key = scanner.scanRun { $0.isAlphanumeric || $0 == UInt8(ascii: "-") }
            guard let first = key.first, first.isAlphanumeric else { throw .parameter("Malformed parameter") }
            var value: ArraySlice<UInt8>?
            if scanner.scan(UInt8(ascii: "=")) {
                // The grammar excludes "=" from values, but clients send it (in ORCPT of encoded return paths), and it
                // is harmless.
                let run = scanner.scanRun { $0 > 0x20 && $0 != 0x7F }
                guard !run.isEmpty else { throw .parameter("Malformed parameter") }
                value = run
            }
            let name = String(checked: key).uppercased()
            guard seen.insert(name).inserted else { throw .parameter("Parameter \(name) given twice") }
            try take(name, value)
        }
    }

    private static func size(_ value: ArraySlice<UInt8>) throws(SMTPSyntaxError) -> Int {
        guard value.allSatisfy(\.isDigit) else { throw .parameter("Malformed SIZE") }
        return Int(String(checked: value)) ?? .max
    }

    private static func bodyType(_ value: ArraySlice<UInt8>) throws(SMTPSyntaxError) -> SMTPBodyType {
        switch String(checked: value).uppercased() {
        case "7BIT": return .sevenBit
        case "8BITMIME": return .eightBitMIME
        case "BINARYMIME": return .binaryMIME
        default: throw .parameter("Malformed BODY")
        }
    }

    private static func returnContent(_ value: ArraySlice<UInt8>) throws(SMTPSyntaxError) -> SMTPReturnContent {
        switch String(checked: value).uppercased() {
        case "FULL": return .full
        case "HDRS": return .headers
        default: throw .parameter("Malformed RET")
        }
    }

    private static func notify(_ value: ArraySlice<UInt8>) throws(SMTPSyntaxError) -> SMTPNotify {
        var result: SMTPNotify = []
        let words = String(checked: value).uppercased().split(separator: ",", omittingEmptySubsequences: false)
        for word in words {
            switch word {
            case "SUCCESS": result.insert(.success)
            case "FAILURE": result.insert(.failure)
            case "DELAY": result.insert(.delay)
            case "NEVER" where words.count == 1: break
            default: throw .parameter("Malformed NOTIFY")
            }
        }
        return result
    }

    private static func originalRecipient(
        _ value: ArraySlice<UInt8>
    ) throws(SMTPSyntaxError) -> SMTPOriginalRecipient {
        let parts = value.split(separator: UInt8(ascii: ";"), maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let type = parts.first, let address = parts.last, !type.isEmpty, !address.isEmpty,
            type.allSatisfy({ $0.isAlphanumeric || $0 == UInt8(ascii: "-") })
        else { throw .parameter("Malformed ORCPT") }
        return SMTPOriginalRecipient(
            addressType: String(checked: type).lowercased(), address: try xtext(address, "ORCPT"))
    }

    /// Decodes xtext, with `+HH` for an octet (RFC 3461 section 4). The result must be UTF-8 without control
    /// characters.
    private static func xtext(_ value: ArraySlice<UInt8>, _ name: String) throws(SMTPSyntaxError) -> String {
        var decoded: [UInt8] = []
        var rest = value
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "+") else {
                decoded.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(hexValue), let low = rest.popFirst().flatMap(hexValue) else {
                throw .parameter("Malformed \(name)")
            }
            decoded.append(high << 4 | low)
        }
        guard decoded.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }), let text = String(validating: decoded, as: UTF8.self)
        else { throw .parameter("Malformed \(name)") }
        return text
    }

    /// Accepts upper case only, as the RFC requires.
    private static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
