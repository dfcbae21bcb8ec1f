import Glibc

@testable import ShardFS

/// Programs that belong to the documentation, and how tests run them.
enum Program {
    /// The repository, found from this file.
    static let repository: String = {
        let file = realpath(#filePath, nil).map { path in
            defer { free(path) }
            return String(cString: path)
        }
        // …/Tests/ShardFSTests/Docs/Program.swift
        return (file ?? #filePath).split(separator: "/").dropLast(4).reduce("") { "\($0)/\($1)" }
    }()

    /// What stands beside the test program: the package's executables.
    static func built(_ name: String) -> String {
        var path = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        let count = readlink("/proc/self/exe", &path, path.count - 1)
        let text = String(decoding: path.prefix(max(0, count)).map(UInt8.init(bitPattern:)), as: UTF8.self)
        return "\(text[..<(text.lastIndex(of: "/") ?? text.startIndex)])/\(name)"
    }

    static let hasPython = run(["python3", "--version"]).status == 0

    /// Runs a program by its name or path; what it wrote to its standard output, and its exit status.
    static func run(_ arguments: [String]) -> (output: String, status: Int32) {
        let quoted = arguments.map { argument in
            "'" + argument.split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#) + "'"
        }
        guard let pipe = popen(quoted.joined(separator: " "), "re") else { return ("", -1) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = fread(&buffer, 1, buffer.count, pipe)
            if count == 0 { break }
            bytes += buffer[..<count]
        }
        let status = pclose(pipe)
        return (String(decoding: bytes, as: UTF8.self), status & 0x7F == 0 ? (status >> 8) & 0xFF : -1)
    }

    static func text(_ path: String) throws -> String {
        guard let bytes = try FilePublisher(system: System()).read(path, in: System.currentDirectory) else { return "" }
        return String(decoding: bytes, as: UTF8.self)
    }
}
