/// The maximum lengths of RFC 5321 section 4.5.3.1, in octets.
enum SMTPAddressLimits {
    static let localPart = 64
    static let domain = 255
    static let label = 63
    /// Includes the angle brackets.
    static let path = 256
}

extension ByteScanner {
    enum PathError: Error {
        case notBracketed
        case malformed
        case tooLong
    }

    enum Path {
        case null
        case postmaster
        case address(SMTPAddress)
    }

    /// Scans `<…>`, a path with an optional source route, which is ignored (RFC 5321 appendix C).
    mutating func scanPath() throws(PathError) -> Path {
        let start = position
        guard scan(UInt8(ascii: "<")) else { throw .notBracketed }
        if scan(UInt8(ascii: ">")) { return .null }
        let inner = position
        if scan(keyword: "POSTMASTER>") { return .postmaster }
        rewind(to: inner)
        if current == UInt8(ascii: "@") {
            guard scanSourceRoute() else { throw .malformed }
        }
        guard let address = scanMailbox(), scan(UInt8(ascii: ">")) else { throw .malformed }
        guard position - start <= SMTPAddressLimits.path else { throw .tooLong }
        return .address(address)
    }

    private mutating func scanSourceRoute() -> Bool {
        repeat {
            guard scan(UInt8(ascii: "@")), scanDomain() != nil else { return false }
        } while scan(UInt8(ascii: ","))
        return scan(UInt8(ascii: ":"))
    }

    /// Scans `Local-part "@" ( Domain / address-literal )`; returns nil if it violates the grammar or a length limit.
    mutating func scanMailbox() -> SMTPAddress? {
        let local: [UInt8]?
        if current == UInt8(ascii: "\"") {
            local = scanQuotedString()
        } else {
            local = scanDotString()
        }
        guard let local, !local.isEmpty, local.count <= SMTPAddressLimits.localPart else { return nil }
        guard scan(UInt8(ascii: "@")) else { return nil }
        let domain = current == UInt8(ascii: "[") ? scanAddressLiteral() : scanDomain()
        guard let domain else { return nil }
        return SMTPAddress(localPart: String(checked: local), domain: domain)
    }

    private mutating func scanDotString() -> [UInt8]? {
        var local: [UInt8] = []
        repeat {
            if !local.isEmpty { local.append(UInt8(ascii: ".")) }
            let atom = scanRun(while: \.isAtext)
            guard !atom.isEmpty else { return nil }
            local.append(contentsOf: atom)
        } while scan(UInt8(ascii: "."))
        return local
    }

    private mutating func scanQuotedString() -> [UInt8]? {
        guard scan(UInt8(ascii: "\"")) else { return nil }
        var local: [UInt8] = []
        while let byte = current {
            advance()
            switch byte {
            case UInt8(ascii: "\""):
                return local
            case UInt8(ascii: "\\"):
                guard let escaped = current, (0x20...0x7E).contains(escaped) else { return nil }
                advance()
                local.append(escaped)
            case 0x20...0x7E, 0x80...:
                local.append(byte)
            default:
                return nil
            }
        }
        return nil
    }

    /// Scans dot-separated labels and returns them in lower case. Underscores are accepted, because some hosts use
    /// them.
    private mutating func scanDomain() -> String? {
        let start = position
        repeat {
            let label = scanRun {
                $0.isAlphanumeric || $0 >= 0x80 || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
            }
            guard !label.isEmpty, label.count <= SMTPAddressLimits.label,
                label.first != UInt8(ascii: "-"), label.last != UInt8(ascii: "-")
            else { return nil }
        } while scan(UInt8(ascii: "."))
        let end = position
        guard end - start <= SMTPAddressLimits.domain else { return nil }
        rewind(to: start)
        var remaining = end - start
        let text = scanRun { _ in
            remaining -= 1
            return remaining >= 0
        }
        return String(checked: text).lowercased()
    }

    private mutating func scanAddressLiteral() -> String? {
        guard scan(UInt8(ascii: "[")) else { return nil }
        let content = scanRun { (0x21...0x5A).contains($0) || (0x5E...0x7E).contains($0) }
        guard !content.isEmpty, content.count <= SMTPAddressLimits.domain - 2, scan(UInt8(ascii: "]")) else {
            return nil
        }
        let text = String(checked: content)
        let isTagged = content.contains(UInt8(ascii: ":"))
        guard isTagged || Self.isIPv4(text) else { return nil }
        return "[\(text.lowercased())]"
    }

    private static func isIPv4(_ text: String) -> Bool {
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { part in
                (1...3).contains(part.count) && part.allSatisfy(\.isDigit)
                    && Int(Substring(part)).map { $0 <= 255 } == true
            }
    }
}
