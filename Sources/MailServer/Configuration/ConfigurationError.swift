/// One problem of a configuration.
package struct ConfigurationProblem: Sendable, Equatable, CustomStringConvertible {
    /// The key's full path (`smtp.port`), or empty for the document as a whole.
    package let key: String
    /// One plain sentence naming the key and the values it accepts.
    package let description: String

    package init(key: String, _ description: String) {
        self.key = key
        self.description = description
    }
}

/// All problems of a configuration: unknown keys first, then bad values in the order of the key table.
package struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Never empty.
    package let problems: [ConfigurationProblem]

    package init(_ problems: [ConfigurationProblem]) { self.problems = problems }

    package init(key: String = "", _ description: String) {
        problems = [ConfigurationProblem(key: key, description)]
    }

    package var description: String { problems.map(\.description).joined(separator: "\n") }
}
