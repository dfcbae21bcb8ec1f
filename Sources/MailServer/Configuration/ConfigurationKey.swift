package import Primitives

/// One key of config.json: its property, its accepted values, and whether a reload can change it.
package struct ConfigurationKey: Sendable {
    /// Section and name, such as `smtp.port`; a top-level key has no dot.
    package let path: String
    /// The accepted values as a noun phrase, for messages.
    package let wants: String
    /// True if a change takes effect only after a restart.
    package let needsRestart: Bool
    /// True if the value must never appear in messages or logs.
    package let isSecret: Bool
    /// Sets the value; returns false, changing nothing, if it has the wrong type or is out of range.
    package let set: @Sendable (inout Configuration, JSONValue) -> Bool
    package let get: @Sendable (Configuration) -> JSONValue
    /// Converts an environment variable's text to a JSON value.
    package let parse: @Sendable (String) -> JSONValue

    package init<Value>(
        _ path: String, _ property: any WritableKeyPath<Configuration, Value> & Sendable,
        _ value: ConfigurationValue<Value>, restart: Bool = false, secret: Bool = false
    ) {
        self.path = path
        wants = value.wants
        needsRestart = restart
        isSecret = secret
        set = { configuration, json in
            guard let new = value.read(json) else { return false }
            configuration[keyPath: property] = new
            return true
        }
        get = { value.write($0[keyPath: property]) }
        parse = value.parse
    }

    /// The environment variable that overrides the key: `RMAIL_SMTP_PORT` for `smtp.port`.
    package var environmentName: String {
        Self.environmentPrefix + String(path.map { $0 == "." ? "_" : $0 }).uppercased()
    }

    package static let environmentPrefix = "RMAIL_"
}
