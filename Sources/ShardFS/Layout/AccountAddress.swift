/// The address of an account in its canonical form, that of its directories: lower case, NFC.
///
/// Both parts are safe path components. They are a conservative subset of RFC 5321 and RFC 6531: other addresses can
/// receive mail through an alias, but cannot be accounts.
public struct AccountAddress: Hashable, Sendable, CustomStringConvertible {
    public let local: String
    public let domain: String

    /// RFC 5321, 4.5.3.1.1.
    public static let maximumLocalBytes = 64
    /// RFC 5321, 4.5.3.1.2, and the maximum length of a path component.
    public static let maximumDomainBytes = 255
    /// RFC 1035, 2.3.4.
    public static let maximumLabelBytes = 63

    /// - Throws: `invalidName`.
    public init(local: String, domain: String) throws(StoreError) {
        self.local = try Self.local(local)
        self.domain = try Self.domain(domain)
    }

    /// Parses `alice@example.com`.
    /// - Throws: `invalidName`.
    public init(parsing address: String) throws(StoreError) {
        guard let at = address.utf8.lastIndex(of: 0x40) else {
            throw StoreError(.invalidName, "an account address must have the form user@domain")
        }
        try self.init(
            local: String(decoding: address.utf8[..<at], as: UTF8.self),
            domain: String(decoding: address.utf8[address.utf8.index(after: at)...], as: UTF8.self))
    }

    public var description: String { "\(local)@\(domain)" }

    /// The stored form of a user's name: letters, digits and `.`, `_`, `-`, `+`, `=`, without a leading, trailing or
    /// repeated dot; beyond ASCII, letters, marks, digits and symbols.
    /// - Throws: `invalidName`.
    public static func local(_ text: String) throws(StoreError) -> String {
        let name = try stored(text, maximum: maximumLocalBytes, "a user name")
        guard !name.utf8.starts(with: [0x2E]), name.utf8.last != 0x2E, !hasDoubleDot(name) else {
            throw StoreError(.invalidName, "a user name must not begin or end with a dot or contain two in a row")
        }
        for scalar in name.unicodeScalars where !isLocal(scalar) {
            throw StoreError(.invalidName, "a user name may contain only letters, digits and . _ - + =")
        }
        return name
    }

    /// The stored form of a domain: labels of letters, digits and inner hyphens.
    /// - Throws: `invalidName`.
    public static func domain(_ text: String) throws(StoreError) -> String {
        let name = try stored(text, maximum: maximumDomainBytes, "a domain")
        for part in name.utf8.split(separator: 0x2E, omittingEmptySubsequences: false) {
            let label = Substring(part)
            guard !label.isEmpty else { throw StoreError(.invalidName, "a domain must not have an empty label") }
            // A non-ASCII label is limited only by the domain; the label limit applies to its A-label, which is not
            // computed here.
            if label.utf8.count > maximumLabelBytes, label.utf8.allSatisfy({ $0 < 0x80 }) {
                throw StoreError(.invalidName, "a domain label may have at most \(maximumLabelBytes) bytes")
            }
            guard label.utf8.first != 0x2D, label.utf8.last != 0x2D, label.unicodeScalars.allSatisfy(isLabel) else {
                throw StoreError(.invalidName, "a domain may contain only letters, digits and inner hyphens")
            }
        }
        return name
    }

    private static func stored(_ text: String, maximum: Int, _ what: String) throws(StoreError) -> String {
        // Checked first too, because the text may be of any length.
        guard text.utf8.count <= 3 * maximum else { throw tooLong(what, maximum) }
        let name = Normalization.nfc(text.lowercased())
        guard !name.isEmpty else { throw StoreError(.invalidName, "\(what) must not be empty") }
        guard name.utf8.count <= maximum else { throw tooLong(what, maximum) }
        return name
    }

    private static func tooLong(_ what: String, _ maximum: Int) -> StoreError {
        StoreError(.invalidName, "\(what) may have at most \(maximum) bytes")
    }

    private static func hasDoubleDot(_ name: String) -> Bool {
        zip(name.utf8, name.utf8.dropFirst()).contains { $0 == 0x2E && $1 == 0x2E }
    }

    private static func isLocal(_ scalar: Unicode.Scalar) -> Bool {
        isLabel(scalar) || "._+=".unicodeScalars.contains(scalar) || (!scalar.isASCII && isSymbol(scalar))
    }

    private static func isSymbol(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .mathSymbol, .currencySymbol, .otherSymbol, .otherNumber, .letterNumber: true
        default: false
        }
    }

    private static func isLabel(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII {
            return scalar == "-" || ("0"..."9").contains(scalar) || ("a"..."z").contains(scalar)
        }
        switch scalar.properties.generalCategory {
        case .lowercaseLetter, .modifierLetter, .otherLetter, .nonspacingMark, .spacingMark, .decimalNumber: return true
        default: return false
        }
    }
}
