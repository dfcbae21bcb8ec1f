import ArgumentParser
import DurableFiles
import MailServer
import ServerConfiguration
import ShardFS

struct Initialize: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Write a default configuration and print the DNS records to publish.")

    @OptionGroup var config: ConfigOption

    @Option(help: "The server's full host name.")
    var hostname: String?

    @Option(name: .customLong("domain"), help: "A mail domain; may be given several times.")
    var domains: [String] = []

    @Flag(help: "Replace an existing configuration.")
    var force = false

    @Argument(help: "Where to write it (default: ./config.json).")
    var path: String?

    func run() throws {
        var settings = Configuration()
        if let hostname {
            guard let name = HostName.normalized(hostname) else {
                throw CommandFailure(
                    "\"\(hostname)\" is not a host name; write it like mail.example.com", status: CommandFailure.usage)
            }
            settings.hostname = name
        }
        if !domains.isEmpty {
            settings.domains = try domains.map { domain in
                do throws(StoreError) {
                    return try AccountAddress.domain(domain)
                } catch {
                    throw CommandFailure("\"\(domain)\" is not a mail domain: \(error)", status: CommandFailure.usage)
                }
            }
        }
        let target = path ?? config.path ?? "config.json"
        try Self.write(settings, to: target, replacing: force)
        Terminal.say("Wrote \(target). DNS records to publish:\n")
        for line in DNSRecords.lines(settings) { Terminal.say(line) }
        Terminal.say("\nNext: 'rmail user add NAME@\(settings.domains[0])', then 'rmail serve'.")
    }

    static func write(_ settings: Configuration, to path: String, replacing: Bool) throws {
        do throws(FileError) {
            try PathFiles().publish(
                Array(ConfigurationText.document(settings).utf8), at: path, replacing: replacing)
        } catch {
            if error.code == .exists {
                throw CommandFailure("\(path) already exists; use --force to replace it")
            }
            throw CommandFailure("\(error)")
        }
    }
}
