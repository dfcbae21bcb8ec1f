// The client of `make bench-imap`: takes one measurement on one IMAP server and prints it as JSON. scripts/bench-imap
// runs it against the servers in turn. `imap-bench COMMAND --port N --user U --password P …`
import Glibc

do {
    guard CommandLine.arguments.count > 1 else {
        throw Failure(description: "usage: imap-bench COMMAND --name value …")
    }
    print(try Rows(options: Options(CommandLine.arguments.dropFirst(2))).run(CommandLine.arguments[1]))
} catch {
    let text = Array("imap-bench: \(error)\n".utf8)
    _ = write(STDERR_FILENO, text, text.count)
    exit(1)
}
