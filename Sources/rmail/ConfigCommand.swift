import ArgumentParser
import DurableFiles
import MailServer
import Primitives
import ServerConfiguration
import ShardFS

struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Inspect the configuration.", subcommands: [Check.self])

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check the configuration and report every mistake with the accepted values.")

        @OptionGroup var config: ConfigOption
        @Flag(help: "Print JSON.") var json = false

        func run() throws {
            let source = config.source()
            do throws(ConfigurationError) {
                let (_, warnings) = try source.load(PathFiles())
                try report(source.path, [], warnings)
            } catch {
                guard json else { throw CommandFailure(error) }
                try report(source.path, error.problems, [])
                throw ExitCode(CommandFailure.configuration)
            }
        }

        private func report(
            _ path: String, _ problems: [ConfigurationProblem], _ warnings: [String]
        ) throws(ConfigurationError) {
            guard json else {
                for warning in warnings { Terminal.complain(warning) }
                Terminal.say("\(path) is valid")
                return
            }
            let found = problems.map { problem in
                JSONValue.object(["key": .string(problem.key), "problem": .string(problem.description)])
            }
            // Cannot fail: strings can always be serialized.
            try? Terminal.say(
                json: .object([
                    "path": .string(path), "problems": .array(found), "warnings": .array(warnings.map { .string($0) }),
                ]))
        }
    }
}
