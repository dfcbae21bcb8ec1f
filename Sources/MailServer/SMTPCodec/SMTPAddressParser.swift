/// Maximum lengths in octets. A local part has none of its own: the 64 octets of RFC 5321 section 4.5.3.1.1 are what every
/// server must accept, and return paths of lists and forwarders are longer.
enum SMTPAddressLimits {
    /// RFC 1035 section 2.3.4.
    static let domain = 255
    static let label = 63
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

    /// Scans `<…>`, a path with an optional source route, which is ignored (RFC 5321 appendix C). An address without the
    /// brackets is accepted too, since simple programs and devices send it.
    /// - Parameter maxLength: the maximum length including the angle brackets, without the source route.
    mutating func scanPath(maxLength: Int) throws(PathError) -> Path {
        guard scan(UInt8(ascii: "<")) else { return try scanBareAddress(maxLength: maxLength) }
        if scan(UInt8(ascii: ">")) { return .null }
        let inner = position
        if scan(keyword: "POSTMASTER>") { return .postmaster }
        rewind(to: inner)
        if current == UInt8(ascii: "@") {
            guard scanSourceRoute() else { throw .malformed }
        }
        let start = position
        guard let address = scanMailbox(), scan(UInt8(ascii: ">")) else { throw .malformed }
        guard position - start + 1 <= maxLength else { throw .tooLong }
        return .address(address)
    }

    /// Scans an address up to a space or the end.
    private mutating func scanBareAddress(maxLength: Int) throws(PathError) -> Path {
        let start = position
        guard let address = scanMailbox(), isAtEnd || current == UInt8(ascii: " ") || current == UInt8(ascii: "\t")
        else {
            throw .notBracketed
        }
        guard position - start + 2 <= maxLength else { throw .tooLong }
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
        guard let local, !local.isEmpty else { return nil }
        guard scan(UInt8(ascii: "@")) else { return nil }
        let domain = current == UInt8(ascii: "[") ? scanAddressLiteral() : scanDomain()
        guard let domain else { return nil }
        return SMTPAddress(localPart: String(checked: local), domain: domain)
    }

    /// Scans atoms and dots. A dot at either end or beside another should be quoted, but large mobile networks and devices
    /// omit the quotes.
    private mutating func scanDotString() -> [UInt8] {
        Array(scanRun { $0.isAtext || $0 == UInt8(ascii: ".") })
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
            // The limit of a non-ASCII label applies to its A-label, which is not computed here.
            guard !label.isEmpty, label.count <= SMTPAddressLimits.label || label.contains(where: { $0 >= 0x80 }),
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
