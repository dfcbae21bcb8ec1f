package import DurableFiles

/// A failed operation on an account or a domain. Two errors are equal if their codes are.
package struct AccountError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: Sendable {
        /// No such domain or account.
        case notFound
        /// An account or domain of this name already exists.
        case exists
        /// An invalid user name or domain.
        case invalidAddress
        /// A password that is empty, longer than 1024 bytes or contains NUL, or an iteration count out of range.
        case invalidPassword
        /// A malformed user.json or domain.json.
        case damaged
        /// A domain that still has accounts.
        case notEmpty
        /// A file system error.
        case files
    }

    package let code: Code
    /// One plain sentence for the user.
    package let description: String

    package init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }

    package init(_ error: FileError) { self.init(.files, error.description) }

    package static func == (a: Self, b: Self) -> Bool { a.code == b.code }
}
