package import Primitives
import ShardFS

/// One key of config.json: where its value lives, what it accepts, and whether a reload can change it.
package struct ConfigurationKey: Sendable {
    /// Section and name, `smtp.port`; a top-level key has no dot.
    package let path: String
    package let wants: String
    /// A change takes effect only after a restart.
    package let needsRestart: Bool
    /// Never shown in messages or logs.
    package let isSecret: Bool
    /// False when the value is of the wrong type or out of range; nothing is changed then.
    package let set: @Sendable (inout Configuration, JSONValue) -> Bool
    package let get: @Sendable (Configuration) -> JSONValue
    /// The JSON value that an environment variable's text stands for.
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

    /// The variable that overrides the key: `RMAIL_SMTP_PORT` for `smtp.port`.
    package var environmentName: String {
        Self.environmentPrefix + String(path.map { $0 == "." ? "_" : $0 }).uppercased()
    }

    package static let environmentPrefix = "RMAIL_"
}
