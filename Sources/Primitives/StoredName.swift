/// Names of users and domains before their own syntax is checked.
package enum StoredName {
    /// Returns `text` in lower case and NFC.
    /// - Parameters:
    ///   - maximum: greatest length of the result in bytes of UTF-8.
    ///   - what: the kind of name, for errors.
    /// - Throws: if the result is empty or too long.
    package static func folded(_ text: String, maximum: Int, _ what: String) throws(NameSyntaxError) -> String {
        // Checked first too, because the text may be of any length.
        guard text.utf8.count <= 3 * maximum else { throw tooLong(what, maximum) }
        let name = Normalization.nfc(text.lowercased())
        guard !name.isEmpty else { throw NameSyntaxError("\(what) must not be empty") }
        guard name.utf8.count <= maximum else { throw tooLong(what, maximum) }
        return name
    }

    private static func tooLong(_ what: String, _ maximum: Int) -> NameSyntaxError {
        NameSyntaxError("\(what) may have at most \(maximum) bytes")
    }
}

/// A name that breaks the rules of its kind.
package struct NameSyntaxError: Error, Equatable, Sendable {
    /// One sentence for people, without a final period.
    package let message: String

    package init(_ message: String) { self.message = message }
}
