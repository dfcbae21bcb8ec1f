/// One thing that is wrong with a configuration.
public struct ConfigurationProblem: Sendable, Equatable, CustomStringConvertible {
    /// The key's full path (`smtp.port`), or empty for the document as a whole.
    public let key: String
    /// One plain sentence that names the key and what it wants.
    public let description: String

    public init(key: String, _ description: String) {
        self.key = key
        self.description = description
    }
}

/// Everything that is wrong with a configuration, in the order of the key table.
public struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Never empty.
    public let problems: [ConfigurationProblem]

    public init(_ problems: [ConfigurationProblem]) { self.problems = problems }

    public init(key: String = "", _ description: String) {
        problems = [ConfigurationProblem(key: key, description)]
    }

    public var description: String { problems.map(\.description).joined(separator: "\n") }
}
