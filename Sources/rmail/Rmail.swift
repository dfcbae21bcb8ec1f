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

    static func main() {
        run { () throws in
            var command = try parseAsRoot()
            guard let server = command as? any AsyncParsableCommand else { return try command.run() }
            runBesideTheMainThread(server)
        }
    }

    /// Runs the server while the main thread waits. An asynchronous `main` would end that thread in a way that keeps its
    /// user and privileges for good, whatever the process becomes.
    private static func runBesideTheMainThread(_ command: sending any AsyncParsableCommand) -> Never {
        // A signal that the main thread could take never reaches the server's own sources.
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&signals, number) }
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        Task.detached {
            var command = command
            do {
                try await command.run()
                Glibc.exit(EXIT_SUCCESS)
            } catch {
                run { () throws in throw error }
            }
        }
        while true { pause() }
    }

    /// Runs `body`, whose failure becomes one sentence and the process's exit status.
    private static func run(_ body: () throws -> Void) {
        do {
            try body()
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
