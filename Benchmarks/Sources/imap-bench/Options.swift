import Glibc

/// `--name value` pairs after the command; a name may come more than once.
struct Options {
    private var values: [String: [String]] = [:]

    init(_ arguments: ArraySlice<String>) throws {
        var rest = arguments
        while let name = rest.popFirst() {
            guard name.hasPrefix("--"), let value = rest.popFirst() else {
                throw Failure(description: "\(name): expected --name value")
            }
            values[String(name.dropFirst(2)), default: []].append(value)
        }
    }

    func all(_ name: String) -> [String] { values[name] ?? [] }

    func optional(_ name: String) -> String? { values[name]?.last }

    func text(_ name: String) throws -> String {
        guard let value = optional(name) else { throw Failure(description: "--\(name) is missing") }
        return value
    }

    func number(_ name: String, default fallback: Int? = nil) throws -> Int {
        if optional(name) == nil, let fallback { return fallback }
        guard let value = Int(try text(name)) else { throw Failure(description: "--\(name) is no number") }
        return value
    }

    func port(_ name: String) throws -> UInt16 {
        guard let value = UInt16(try text(name)) else { throw Failure(description: "--\(name) is no port") }
        return value
    }
}
