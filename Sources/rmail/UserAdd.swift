import ArgumentParser
import MailAccounts
import MailServer
import ShardFS

struct UserAdd: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Add an account with its default mailboxes.")

    @OptionGroup var config: ConfigOption
    @OptionGroup var password: PasswordOptions
    @Flag(help: "The account may manage users and aliases.") var admin = false
    @OptionGroup var quota: QuotaOptions
    @Argument(help: "The address, such as alice@example.com.") var address: String

    func run() throws {
        let address = try UserArgument.address(address)
        // Checked before prompting for a password.
        try config.withAccounts { (accounts) throws(AccountError) in
            if accounts.exists(address) { throw AccountError(.exists, "the account \(address) already exists") }
        }
        let octets = try password.obtain(for: address)
        _ = try config.withAccounts { (accounts) throws(AccountError) in
            try accounts.create(
                address, password: octets, quotaMB: quota.megabytes ?? UserAccount.defaultQuotaMB,
                quotaMessages: quota.messages ?? 0, admin: admin, iterations: password.iterations)
        }
        Terminal.say("added \(address)")
        password.tell(octets)
    }
}

/// The ADDRESS argument of the account commands.
enum UserArgument {
    static func address(_ text: String) throws -> AccountAddress {
        do {
            return try AccountAddress(login: text)
        } catch {
            throw CommandFailure(error)
        }
    }
}

/// The quota options of `user add` and `user set`.
struct QuotaOptions: ParsableArguments {
    @Option(name: .customLong("quota-mb"), help: "Quota in MiB (0: unlimited). Default: \(UserAccount.defaultQuotaMB).")
    var megabytes: Int?
    @Option(name: .customLong("quota-messages"), help: "Quota in messages (0: unlimited). Default: 0.")
    var messages: Int?

    func validate() throws {
        try check(megabytes, UserAccount.maximumQuotaMB, "--quota-mb", "MiB")
        try check(messages, UserAccount.maximumQuotaMessages, "--quota-messages", "messages")
    }

    private func check(_ value: Int?, _ largest: Int, _ name: String, _ unit: String) throws {
        guard let value, !(0...largest).contains(value) else { return }
        throw ValidationError("\(name) must be a number of \(unit) from 0 (unlimited) to \(largest).")
    }
}
