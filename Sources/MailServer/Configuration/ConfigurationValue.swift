package import Primitives

/// Conversion of one type of setting from and to JSON, and the description of its accepted values.
package struct ConfigurationValue<Value: Sendable>: Sendable {
    /// The accepted values as a noun phrase, for messages.
    package let wants: String
    /// Converts from JSON; returns nil if the value has the wrong type or is out of range.
    package let read: @Sendable (JSONValue) -> Value?
    package let write: @Sendable (Value) -> JSONValue
    /// Converts an environment variable's text to a JSON value.
    package let parse: @Sendable (String) -> JSONValue

    /// Extends `inner` by null, written as an empty string in the environment.
    package static func orNull<Inner>(_ inner: ConfigurationValue<Inner>, _ meaning: String) -> Self
    where Value == Inner? {
        Self(
            wants: "\(inner.wants), or null for \(meaning)",
            read: { json in
                if json == .null { return .some(nil) }
                return inner.read(json).map { .some($0) }
            },
            write: { $0.map(inner.write) ?? .null },
            parse: { $0.isEmpty ? .null : inner.parse($0) })
    }
}

extension ConfigurationValue where Value == Int {
    package static func integer(_ range: ClosedRange<Int>, _ unit: String = "") -> Self {
        let unit = unit.isEmpty ? "" : " of \(unit)"
        return Self(
            wants: "a whole number\(unit) from \(range.lowerBound) to \(range.upperBound)",
            read: { json in
                guard let n = json.unsignedInteger, let i = Int(exactly: n), range.contains(i) else { return nil }
                return i
            },
            write: { .integer(Int64($0)) },
            parse: integerFromText)
    }

    package static let count = integer(1...1_000_000)
    package static let seconds = integer(1...31_536_000, "seconds")
}

extension ConfigurationValue where Value == Port {
    private static func port(from lowest: Port, _ wants: String) -> Self {
        Self(
            wants: wants,
            read: { json in json.unsignedInteger.flatMap { Port(exactly: $0) }.flatMap { $0 >= lowest ? $0 : nil } },
            write: { .integer(Int64($0)) },
            parse: integerFromText)
    }

    package static let listenerPort = port(from: 0, "a port from 1 to 65535, 0 for any free port")
    package static let remotePort = port(from: 1, "a port from 1 to 65535")
}

extension ConfigurationValue where Value == Double {
    package static func number(_ range: ClosedRange<Double>, _ unit: String) -> Self {
        Self(
            wants: "a number of \(unit) from \(range.lowerBound) to \(range.upperBound)",
            read: { json in
                let value: Double
                switch json {
                case .integer(let i): value = Double(i)
                case .number(let d): value = d
                default: return nil
                }
                return range.contains(value) ? value : nil
            },
            write: { value in Int64(exactly: value).map { .integer($0) } ?? .number(value) },
            parse: { text in
                let trimmed = text.trimmingASCIISpace()
                return Double(trimmed).map { .number($0) } ?? .string(text)
            })
    }
}

extension ConfigurationValue where Value == Bool {
    package static let flag = Self(
        wants: "true or false",
        read: { $0.bool },
        write: { .bool($0) },
        parse: { text in
            switch text.trimmingASCIISpace().lowercased() {
            case "true", "1", "yes", "on": .bool(true)
            case "false", "0", "no", "off": .bool(false)
            default: .string(text)
            }
        })
}

extension ConfigurationValue where Value == String {
    /// Text accepted by `check`, which returns it in normalized form.
    package static func text(_ wants: String, _ check: @escaping @Sendable (String) -> String?) -> Self {
        Self(wants: wants, read: { $0.string.flatMap(check) }, write: { .string($0) }, parse: { .string($0) })
    }

    package static let path = text("the path of a file or directory") { value in
        value.isEmpty || value.utf8.contains(0) ? nil : value
    }
    package static let host = text("an IP address or host name to listen on") {
        HostName.isHostOrAddress($0) ? $0 : nil
    }
    package static let remoteHost = text("a host name or IP address") { HostName.isHostOrAddress($0) ? $0 : nil }
    package static let hostName = text("a full host name such as mail.example.com") { HostName.normalized($0) }
    package static let domain = text("a mail domain such as example.com") { try? MailDomain.stored($0) }
    package static let secret = text("text of at least 16 characters") { $0.utf8.count >= 16 ? $0 : nil }
    package static let nonEmpty = text("nonempty text") { $0.isEmpty ? nil : $0 }
    package static let systemName = text("the name of a user or group of this machine") { name in
        let fits = !name.isEmpty && name.utf8.count <= 256 && !name.utf8.contains(0)
        return fits && !name.utf8.contains(UInt8(ascii: ":")) ? name : nil
    }
    package static let capability = text("the name of an IMAP capability") { name in
        !name.isEmpty && name.utf8.allSatisfy { $0.isASCIILetterOrDigit || "=-+._".utf8.contains($0) } ? name : nil
    }
    package static let nodeName = text("a name of 1 to 64 letters, digits, '.', '-' or '_'") { name in
        let fits = name.utf8.count <= 64 && !name.isEmpty
        return fits && name.utf8.allSatisfy { $0.isASCIILetterOrDigit || ".-_".utf8.contains($0) } ? name : nil
    }
}

extension ConfigurationValue {
    /// A list; comma-separated in the environment, spaces around commas ignored.
    package static func list<Element>(
        of element: ConfigurationValue<Element>, _ wants: String, minimum: Int = 0
    ) -> Self where Value == [Element] {
        Self(
            wants: wants,
            read: { json in
                guard let items = json.array, items.count >= minimum else { return nil }
                var values: [Element] = []
                for item in items {
                    guard let value = element.read(item) else { return nil }
                    values.append(value)
                }
                return values
            },
            write: { .array($0.map(element.write)) },
            parse: { text in
                let parts = text.split(separator: ",").map { String($0).trimmingASCIISpace() }
                return .array(parts.filter { !$0.isEmpty }.map(element.parse))
            })
    }

    /// A raw value of an enumeration. With `ignoringCase`, the raw values must be in upper case.
    package static func choice(ignoringCase: Bool = false) -> Self
    where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
        let names = Value.allCases.map { "\"\($0.rawValue)\"" }
        return Self(
            wants: "one of " + names.joined(separator: ", "),
            read: { json in
                guard let text = json.string else { return nil }
                return Value(rawValue: ignoringCase ? text.uppercased() : text)
            },
            write: { .string($0.rawValue) },
            parse: { .string($0) })
    }
}

private func integerFromText(_ text: String) -> JSONValue {
    Int64(text.trimmingASCIISpace()).map { .integer($0) } ?? .string(text)
}
