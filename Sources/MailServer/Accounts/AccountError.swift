import DurableFiles

/// What went wrong with an account or a domain. Two errors are equal when their codes are.
public struct AccountError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Code: Sendable {
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

    public let code: Code
    /// One plain sentence.
    public let description: String

    public init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }

    init(_ error: FileError) { self.init(.files, error.description) }

    public static func == (a: Self, b: Self) -> Bool { a.code == b.code }
}
