import Glibc
import Primitives
import ShardFS

/// Standard input, output and error.
enum Terminal {
    static func say(_ text: String) { write(text + "\n", STDOUT_FILENO) }

    /// Writes each line of `text` to standard error, prefixed with the program's name.
    static func complain(_ text: String) {
        for line in text.split(separator: "\n") { write("rmail: \(line)\n", STDERR_FILENO) }
    }

    static func hint(_ text: String) { write(text + "\n", STDERR_FILENO) }

    static func say(json: JSONValue) throws {
        do {
            write(String(decoding: try json.serialized(), as: UTF8.self), STDOUT_FILENO)
        } catch {
            throw CommandFailure("\(error)")
        }
    }

    static var inputIsTerminal: Bool { isatty(STDIN_FILENO) == 1 }

    /// Reads the first line of standard input, without its newline.
    static func readPasswordLine() throws -> [UInt8] {
        guard let line = readOctets() else {
            throw CommandFailure("there is no password on standard input", status: CommandFailure.usage)
        }
        return line
    }

    /// Prompts twice without echo.
    static func askForNewPassword(_ who: String) throws -> [UInt8] {
        let first = try ask("Password for \(who): ")
        guard try ask("Again: ") == first else { throw CommandFailure("the two passwords differ; nothing was changed") }
        return first
    }

    private static func ask(_ prompt: String) throws -> [UInt8] {
        var settings = termios()
        guard tcgetattr(STDIN_FILENO, &settings) == 0 else {
            throw CommandFailure("this terminal cannot hide a password; use --password-stdin")
        }
        let original = settings
        settings.c_lflag &= ~tcflag_t(ECHO)
        write(prompt, STDERR_FILENO)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings)
        defer {
            var original = original
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &original)
            write("\n", STDERR_FILENO)
        }
        guard let line = readOctets() else { throw CommandFailure("no password was given") }
        return line
    }

    /// A line of standard input, octet by octet: a password need not be text, and nothing of the next line is taken.
    private static func readOctets() -> [UInt8]? {
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while true {
            let n = read(STDIN_FILENO, &byte, 1)
            if n < 0, errno == EINTR { continue }
            guard n == 1 else { return line.isEmpty ? nil : line }
            guard byte != UInt8(ascii: "\n") else { break }
            line.append(byte)
        }
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        return line
    }

    private static func write(_ text: String, _ descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let n = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if n < 0, errno == EINTR { continue }
            guard n > 0 else { return }
            bytes.removeFirst(n)
        }
    }
}
