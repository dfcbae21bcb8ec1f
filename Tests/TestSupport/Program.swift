import Glibc

/// Other programs that tests run.
public enum Program {
    /// An executable of this package, which stands beside the test program.
    public static func built(_ name: String) -> String {
        // The test program itself, or a runner that was given the path of a bundle that is beside it.
        let programs = [ownPath()] + CommandLine.arguments
        let candidates = programs.compactMap { path in path.lastIndex(of: "/").map { "\(path[..<$0])/\(name)" } }
        return candidates.first { access($0, X_OK) == 0 } ?? name
    }

    private static func ownPath() -> String {
        var path = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        let count = readlink("/proc/self/exe", &path, path.count - 1)
        return String(decoding: path.prefix(max(0, count)).map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// Runs a program by its name or path: what it wrote, and its exit status, or -1 when a signal ended it.
    /// - Parameter withErrors: what it wrote to its standard error as well.
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
