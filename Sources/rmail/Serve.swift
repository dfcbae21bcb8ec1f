import ArgumentParser
import DurableFiles
import MailServer
import ServerConfiguration
import ServerRuntime

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the server (the default).",
        discussion:
            "Writes a default configuration if there is none. SIGHUP reloads it; SIGINT and SIGTERM stop gracefully.")

    @OptionGroup var config: ConfigOption

    @Argument(help: ArgumentHelp("The configuration file, like --config.", valueName: "config"))
    var path: String?

    func run() async throws {
        if let path, config.path != nil {
            throw CommandFailure(
                "\(path) and --config both name a configuration; give one", status: CommandFailure.usage)
        }
        let source = config.source(path)
        try writeDefaultIfMissing(source)
        let (configuration, warnings) = try config.load(source)
        do throws(StartError) {
            try await MailServerApplication.run(
                version: Version.text, source, configuration, warnings: warnings)
        } catch {
            throw CommandFailure(error)
        }
    }

    private func writeDefaultIfMissing(_ source: ConfigurationSource) throws {
        let files = PathFiles()
        guard !files.exists(source.path) else { return }
        // Otherwise a mistyped subcommand would create a file of that name.
        if let path, !path.hasSuffix(".json") {
            throw CommandFailure(
                "'\(path)' is neither a subcommand nor a configuration file; see 'rmail --help'",
                status: CommandFailure.usage)
        }
        try Initialize.write(Configuration(), to: source.path, replacing: false)
        Terminal.hint("wrote a default configuration to \(source.path); set hostname and domains there")
    }
}
