import Glibc

/// Runs other programs for tests.
public enum Program {
    /// The path of an executable of this package, beside the test program.
    public static func built(_ name: String) -> String {
        // The test program itself, or a runner given the path of a bundle beside it.
        let programs = [ownPath()] + CommandLine.arguments
        let candidates = programs.compactMap { path in path.lastIndex(of: "/").map { "\(path[..<$0])/\(name)" } }
        return candidates.first { access($0, X_OK) == 0 } ?? name
    }

    private static func ownPath() -> String {
        var path = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        let count = readlink("/proc/self/exe", &path, path.count - 1)
        return String(decoding: path.prefix(max(0, count)).map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// Runs a program by its name or path; returns its output and its exit status, or -1 if a signal ended it.
    /// - Parameter withErrors: includes the standard error output.
    public static func run(_ arguments: [String], withErrors: Bool = false) -> (output: String, status: Int32) {
        let quoted = arguments.map { argument in
            "'" + argument.split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#) + "'"
        }
        let command = quoted.joined(separator: " ") + (withErrors ? " 2>&1" : "")
        guard let pipe = popen(command, "re") else { return ("", -1) }
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
}
