import Primitives

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
    public static let maximumDomainBytes = MailDomain.maximumBytes
    /// RFC 1035, 2.3.4.
    public static let maximumLabelBytes = MailDomain.maximumLabelBytes

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
        let name: String
        do throws(NameSyntaxError) {
            name = try StoredName.folded(text, maximum: maximumLocalBytes, "a user name")
        } catch {
            throw StoreError(error)
        }
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
        do throws(NameSyntaxError) { return try MailDomain.stored(text) } catch { throw StoreError(error) }
    }

    private static func hasDoubleDot(_ name: String) -> Bool {
        zip(name.utf8, name.utf8.dropFirst()).contains { $0 == 0x2E && $1 == 0x2E }
    }

    private static func isLocal(_ scalar: Unicode.Scalar) -> Bool {
        MailDomain.isLabel(scalar) || "._+=".unicodeScalars.contains(scalar) || (!scalar.isASCII && isSymbol(scalar))
    }

    private static func isSymbol(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .mathSymbol, .currencySymbol, .otherSymbol, .otherNumber, .letterNumber: true
        default: false
        }
    }
}

extension StoreError {
    fileprivate init(_ error: NameSyntaxError) { self.init(.invalidName, error.message) }
}
