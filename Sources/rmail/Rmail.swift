import ArgumentParser
import Glibc
import MailServer

/// The command line: parses, runs, and reports every failure as one sentence and an exit status.
@main
struct Rmail: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rmail",
        abstract: "A mail server that keeps every message as a plain file.",
        discussion: "Without a subcommand, the server runs: 'rmail' and 'rmail /path/to/config.json'.",
        version: "rmail \(Version.text)",
        subcommands: [
            Serve.self, Initialize.self, ConfigCommand.self, DomainCommand.self, UserCommand.self,
            IndexCommand.self,
        ],
        defaultSubcommand: Serve.self)

    static func main() async {
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let failure as CommandFailure {
            Terminal.complain(failure.description)
            Glibc.exit(failure.status)
        } catch let code as ExitCode {
            Glibc.exit(code.rawValue)
        } catch {
            let status = exitCode(for: error)
            // --help and --version also arrive here; they go to standard output.
            if status.isSuccess { exit(withError: error) }
            let text = message(for: error)
            Terminal.complain(text.isEmpty ? "the command failed" : text)
            if status == .validationFailure { Terminal.hint("See 'rmail --help'.") }
            Glibc.exit(status.rawValue)
        }
    }
}
