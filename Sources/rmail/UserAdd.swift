import ArgumentParser
import MailServer
import ShardFS

struct UserAdd: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Add an account with its default mailboxes.")

    @OptionGroup var config: ConfigOption
    @OptionGroup var password: PasswordOptions
    @Flag(help: "The account may manage users and aliases.") var admin = false
    @Option(name: .customLong("quota-mb"), help: "Quota in MiB; 0 is unlimited.")
    var quota = UserAccount.usualQuotaMB
    @Argument(help: "The address, as alice@example.com.") var address: String

    func validate() throws { try QuotaOption.check(quota) }

    func run() throws {
        let address = try UserArgument.address(address)
        // Before the prompt: nobody should type a password for nothing.
        try config.withAccounts { (accounts) throws(AccountError) in
            if accounts.exists(address) { throw AccountError(.exists, "the account \(address) exists already") }
        }
        let text = try password.obtain(for: address)
        _ = try config.withAccounts { (accounts) throws(AccountError) in
            try accounts.create(
                address, password: Array(text.utf8), quotaMB: quota, admin: admin, iterations: password.iterations)
        }
        Terminal.say("added \(address)")
        password.tell(text)
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

enum QuotaOption {
    static func check(_ quota: Int?) throws {
        guard let quota, !(0...UserAccount.largestQuotaMB).contains(quota) else { return }
        throw ValidationError("--quota-mb wants a number of MiB from 0 (unlimited) to \(UserAccount.largestQuotaMB).")
    }
}
