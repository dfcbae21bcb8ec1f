import ArgumentParser
import MailAccounts
import MailServer
import ShardFS

struct UserPassword: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "passwd", abstract: "Set an account's password.")

    @OptionGroup var config: ConfigOption
    @OptionGroup var password: PasswordOptions
    @Argument(help: "The address.") var address: String

    func run() throws {
        let address = try UserArgument.address(address)
        _ = try config.withAccounts { (accounts) throws(AccountError) in try accounts.load(address) }
        let octets = try password.obtain(for: address)
        try config.withAccounts { (accounts) throws(AccountError) in
            try accounts.setPassword(address, octets, iterations: password.iterations)
        }
        Terminal.say("changed the password of \(address)")
        password.tell(octets)
    }
}

struct UserSet: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Change an account's quota and rights.")

    @OptionGroup var config: ConfigOption
    @OptionGroup var quota: QuotaOptions
    @Flag(inversion: .prefixedNo, help: "Whether the account may manage users and aliases.") var admin: Bool?
    @Argument(help: "The address.") var address: String

    func validate() throws {
        guard quota.megabytes != nil || quota.messages != nil || admin != nil else {
            throw ValidationError("There is nothing to set: give --quota-mb, --quota-messages, --admin or --no-admin.")
        }
    }

    func run() throws {
        let address = try UserArgument.address(address)
        let account = try config.withAccounts { (accounts) throws(AccountError) in
            try accounts.update(address) { account in
                account.setQuota(megabytes: quota.megabytes, messages: quota.messages)
                if let admin { account.admin = admin }
            }
        }
        Terminal.say(UserReport.line(account))
    }
}

struct UserEnable: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "enable", abstract: "Let an account log in again.")

    @OptionGroup var config: ConfigOption
    @Argument(help: "The address.") var address: String

    func run() throws {
        let address = try UserArgument.address(address)
        try config.withAccounts { (accounts) throws(AccountError) in try accounts.setEnabled(address, true) }
        Terminal.say("enabled \(address)")
    }
}

struct UserDisable: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "disable",
        abstract: "Refuse an account's logins and end its sessions; its mail stays and still arrives.")

    @OptionGroup var config: ConfigOption
    @Argument(help: "The address.") var address: String

    func run() throws {
        let address = try UserArgument.address(address)
        try config.withAccounts { (accounts) throws(AccountError) in try accounts.setEnabled(address, false) }
        Terminal.say("disabled \(address)")
    }
}

struct UserRemove: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Remove an account with all its mail.")

    @OptionGroup var config: ConfigOption
    @Flag(name: .shortAndLong, help: "Do not ask for confirmation.") var yes = false
    @Argument(help: "The address.") var address: String

    func run() throws {
        let address = try UserArgument.address(address)
        _ = try config.withAccounts { (accounts) throws(AccountError) in
            guard accounts.exists(address) else { throw AccountError(.notFound, "there is no account \(address)") }
        }
        if !yes, Terminal.inputIsTerminal {
            Terminal.hint("This deletes all mail of \(address). Type the address to confirm:")
            guard readLine() == address.description else { throw CommandFailure("nothing was removed") }
        }
        try config.withAccounts { (accounts) throws(AccountError) in try accounts.remove(address) }
        Terminal.say("removed \(address)")
    }
}
