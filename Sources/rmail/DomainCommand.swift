import ArgumentParser
import MailAccounts
import MailServer
import Primitives
import ShardFS

struct DomainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "domain", abstract: "Add, list and remove mail domains.",
        subcommands: [Add.self, List.self, Remove.self])

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Add a domain.")

        @OptionGroup var config: ConfigOption
        @Argument(help: "The domain, such as example.com.") var domain: String

        func run() throws {
            try config.withAccounts { (accounts) throws(AccountError) in try accounts.createDomain(domain) }
            Terminal.say("added \(domain)")
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the domains.")

        @OptionGroup var config: ConfigOption
        @Flag(help: "Print JSON.") var json = false

        func run() throws {
            let domains = try config.withAccounts { (accounts) throws(AccountError) in
                var rows: [(name: String, accounts: Int)] = []
                for name in try accounts.domains() { rows.append((name, try accounts.list(domain: name).count)) }
                return rows
            }
            guard json else {
                for row in domains { Terminal.say("\(row.name)  \(row.accounts) accounts") }
                return
            }
            try Terminal.say(
                json: .object([
                    "domains": .array(
                        domains.map { .object(["domain": .string($0.name), "accounts": .integer(Int64($0.accounts))]) })
                ]))
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove a domain that has no accounts.",
            discussion: "Also remove it from 'domains' in the configuration, or the next start creates it again.")

        @OptionGroup var config: ConfigOption
        @Argument(help: "The domain.") var domain: String

        func run() throws {
            try config.withAccounts { (accounts) throws(AccountError) in try accounts.removeDomain(domain) }
            Terminal.say("removed \(domain)")
        }
    }
}
