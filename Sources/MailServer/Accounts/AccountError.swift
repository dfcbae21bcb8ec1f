package import DurableFiles

/// What went wrong with an account or a domain. Two errors are equal when their codes are.
package struct AccountError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: Sendable {
        /// No such domain or account.
        case notFound
        /// The name is taken.
        case exists
        /// A user name or domain that cannot be one.
        case invalidAddress
        /// A password that is empty or longer than 1024 bytes.
        case invalidPassword
        /// A user.json or domain.json that cannot be understood.
        case damaged
        /// A domain that still has accounts.
        case notEmpty
        /// The file system refused.
        case files
    }

    package let code: Code
    /// One plain sentence.
    package let description: String

    package init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }

    package init(_ error: FileError) { self.init(.files, error.description) }

    package static func == (a: Self, b: Self) -> Bool { a.code == b.code }
}
