/// The syntax of mail domains in their stored form: lower case, NFC, safe as a path component.
package enum MailDomain {
    /// RFC 5321, 4.5.3.1.2, and the maximum length of a path component.
    package static let maximumBytes = 255
    /// RFC 1035, 2.3.4.
    package static let maximumLabelBytes = 63

    /// Returns the stored form of a domain: labels of letters, digits and inner hyphens.
    package static func stored(_ text: String) throws(NameSyntaxError) -> String {
        let name = try StoredName.folded(text, maximum: maximumBytes, "a domain")
        for part in name.utf8.split(separator: 0x2E, omittingEmptySubsequences: false) {
            let label = Substring(part)
            guard !label.isEmpty else { throw NameSyntaxError("a domain must not have an empty label") }
            // A non-ASCII label is limited only by the domain; the label limit applies to its A-label, which is not
            // computed here.
            if label.utf8.count > maximumLabelBytes, label.utf8.allSatisfy({ $0 < 0x80 }) {
                throw NameSyntaxError("a domain label may have at most \(maximumLabelBytes) bytes")
            }
            guard label.utf8.first != 0x2D, label.utf8.last != 0x2D, label.unicodeScalars.allSatisfy(isLabel) else {
                throw NameSyntaxError("a domain may contain only letters, digits and inner hyphens")
            }
        }
        return name
    }

    /// Whether a label may contain `scalar`: hyphens, lower-case letters, marks and digits.
    package static func isLabel(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII {
            return scalar == "-" || ("0"..."9").contains(scalar) || ("a"..."z").contains(scalar)
        }
        switch scalar.properties.generalCategory {
        case .lowercaseLetter, .modifierLetter, .otherLetter, .nonspacingMark, .spacingMark, .decimalNumber: return true
        default: return false
        }
    }
}
