package import Primitives

extension Configuration {
    /// Reads a JSON document and applies overrides from the environment.
    ///
    /// Missing keys keep their defaults. All problems are collected before an error is thrown.
    /// - Parameters:
    ///   - document: the bytes of config.json; nil for defaults only.
    ///   - name: the file's name, for messages.
    ///   - environment: all variables; those without the prefix `RMAIL_` are ignored.
    /// - Returns: The configuration with paths as written, and warnings that are not errors.
    /// - Throws: All unknown keys and wrong values; if there are none, all contradictions.
    package static func read(
        _ document: [UInt8]?, name: String = "config.json", environment: [String: String] = [:]
    ) throws(ConfigurationError) -> (configuration: Configuration, warnings: [String]) {
        var reader = ConfigurationReader()
        if let document { try reader.apply(parse(document, name)) }
        reader.apply(environment: environment)
        if reader.problems.isEmpty { reader.problems = reader.configuration.contradictions() }
        guard reader.problems.isEmpty else { throw ConfigurationError(reader.problems) }
        return (reader.configuration, reader.warnings)
    }

    private static func parse(_ bytes: [UInt8], _ name: String) throws(ConfigurationError) -> [String: JSONValue] {
        let value: JSONValue
        do {
            value = try JSONValue.parse(bytes, name: name)
        } catch {
            throw ConfigurationError("\(error)")
        }
        guard let object = value.object else {
            throw ConfigurationError("\(name) must be a JSON object in braces")
        }
        return object
    }
}

/// Collects values and problems from each source of a configuration in turn.
package struct ConfigurationReader {
    package var configuration = Configuration()
    package var problems: [ConfigurationProblem] = []
    package var warnings: [String] = []

    private static let keysByPath = Dictionary(uniqueKeysWithValues: ConfigurationKey.all.map { ($0.path, $0) })
    private static let sections = Set(
        ConfigurationKey.all.compactMap { key in
            key.path.firstIndex(of: ".").map { String(key.path[..<$0]) }
        })

    package mutating func apply(_ document: [String: JSONValue]) {
        var values: [String: JSONValue] = [:]
        for (name, value) in document.sorted(by: { $0.key < $1.key }) {
            if Self.sections.contains(name) {
                guard let section = value.object else {
                    problems.append(ConfigurationProblem(key: name, "\(name) must be an object of settings in braces"))
                    continue
                }
                for (inner, value) in section { values["\(name).\(inner)"] = value }
            } else {
                values[name] = value
            }
        }
        for path in values.keys.sorted() where Self.keysByPath[path] == nil {
            problems.append(unknown(path))
        }
        for key in ConfigurationKey.all {
            guard let value = values[key.path] else { continue }
            set(key, value, as: key.path)
        }
    }

    package mutating func apply(environment: [String: String]) {
        let known = Dictionary(uniqueKeysWithValues: ConfigurationKey.all.map { ($0.environmentName, $0) })
        for (name, text) in environment.sorted(by: { $0.key < $1.key }) {
            guard name.hasPrefix(ConfigurationKey.environmentPrefix) else { continue }
            if let key = known[name] {
                set(key, key.parse(text), as: "the environment variable \(name)")
            } else {
                let nearest = NearestName.find(name, in: known.keys.sorted())
                warnings.append(
                    "the environment variable \(name) matches no setting and is ignored"
                        + (nearest.map { "; did you mean \($0)?" } ?? ""))
            }
        }
    }

    private mutating func set(_ key: ConfigurationKey, _ value: JSONValue, as name: String) {
        guard !key.set(&configuration, value) else { return }
        let found = key.isSecret ? "" : ", not \(value.excerpt)"
        problems.append(ConfigurationProblem(key: key.path, "\(name) must be \(key.wants)\(found)"))
    }

    private func unknown(_ path: String) -> ConfigurationProblem {
        let nearest = NearestName.find(path, in: ConfigurationKey.all.map(\.path) + Self.sections.sorted())
        let hint = nearest.map { "did you mean \($0)?" } ?? "remove it"
        return ConfigurationProblem(key: path, "\(path) is not a setting of rmail; \(hint)")
    }
}

extension JSONValue {
    /// The value for quoting in a message, cut to 60 characters.
    fileprivate var excerpt: String {
        switch self {
        case .array: return "the list given"
        case .object: return "an object"
        default:
            let text = ConfigurationText.line(self)
            return text.count <= 60 ? text : String(text.prefix(60)) + "…"
        }
    }
}
