public import Primitives

/// An envelope address: local part and domain (RFC 5321 section 4.1.2, RFC 6531 section 3.3).
///
/// Addresses compare with case-sensitive local parts and case-insensitive domains. Only the receiving host decides
/// whether local parts that differ in case name the same mailbox.
public struct SMTPAddress: Hashable, Sendable {
    /// The decoded local part, without the quotes and backslashes of the wire form. Not empty.
    public let localPart: String
    /// The domain in lower case, or an address literal with its brackets. 1 to 255 octets.
    public let domain: String

    /// - Parameters:
    ///   - localPart: without quotes; not empty.
    ///   - domain: in lower case, of the grammar.
    package init(localPart: String, domain: String) {
        self.localPart = localPart
        self.domain = domain
    }

    /// Parses an address without angle brackets; returns nil if it violates the grammar.
    public init?(_ text: String) {
        var scanner = ByteScanner(Array(text.utf8))
        guard let address = scanner.scanMailbox(), scanner.isAtEnd else { return nil }
        self = address
    }

    /// The IP address of a domain such as `[192.0.2.1]` or `[IPv6:2001:db8::1]`, or nil for a name.
    public var addressLiteral: IPAddress? {
        guard domain.utf8.first == UInt8(ascii: "["), domain.utf8.last == UInt8(ascii: "]") else { return nil }
        let text = domain.dropFirst().dropLast()
        return IPAddress(String(text.hasPrefix("ipv6:") ? text.dropFirst(5) : text))
    }

    /// True if the address can be used without SMTPUTF8.
    public var isASCII: Bool { localPart.utf8.allSatisfy { $0 < 0x80 } && domain.utf8.allSatisfy { $0 < 0x80 } }

    /// The account name for lookups: the local part in lower case, without the detail after its first `+`.
    ///
    /// A local part that begins with `+` has no detail and is kept whole.
    public var accountName: String {
        let lowered = localPart.lowercased()
        guard let plus = lowered.firstIndex(of: "+"), plus != lowered.startIndex else { return lowered }
        return String(lowered[..<plus])
    }
}

extension SMTPAddress: CustomStringConvertible {
    /// The wire form without angle brackets; the local part is quoted if necessary.
    public var description: String { "\(quotedLocalPart)@\(domain)" }

    private var quotedLocalPart: String {
        let bytes = Array(localPart.utf8)
        let isDotString =
            bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            .allSatisfy { !$0.isEmpty && $0.allSatisfy(\.isAtext) }
        guard !isDotString else { return localPart }
        var quoted = "\""
        for character in localPart.unicodeScalars {
            if character == "\"" || character == "\\" { quoted.unicodeScalars.append("\\") }
            quoted.unicodeScalars.append(character)
        }
        return quoted + "\""
    }
}

/// The reverse path of MAIL FROM.
public enum SMTPReversePath: Hashable, Sendable {
    /// `<>`, the sender of notifications, to which no notification is ever sent.
    case null
    case address(SMTPAddress)

    public var address: SMTPAddress? {
        guard case .address(let address) = self else { return nil }
        return address
    }
}

extension SMTPReversePath: CustomStringConvertible {
    /// The wire form with angle brackets.
    public var description: String { address.map { "<\($0)>" } ?? "<>" }
}

/// The forward path of RCPT TO.
public enum SMTPForwardPath: Hashable, Sendable {
    /// `<postmaster>` without a domain (RFC 5321 section 4.5.1).
    case postmaster
    case address(SMTPAddress)
}

extension SMTPForwardPath: CustomStringConvertible {
    /// The wire form with angle brackets.
    public var description: String {
        switch self {
        case .postmaster: "<postmaster>"
        case .address(let address): "<\(address)>"
        }
    }
}
