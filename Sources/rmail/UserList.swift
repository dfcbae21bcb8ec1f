import ArgumentParser
import MailAccounts
import MailServer
import Primitives
import ShardFS

struct UserList: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List the accounts.")

    @OptionGroup var config: ConfigOption
    @Flag(help: "Print JSON.") var json = false
    @Argument(help: "Only this domain.") var domain: String?

    func run() throws {
        let (accounts, problems) = try config.withAccounts { (store) throws(AccountError) in
            var accounts: [UserAccount] = []
            var problems: [String] = []
            for address in try store.list(domain: domain) {
                do throws(AccountError) {
                    accounts.append(try store.load(address))
                } catch {
                    // One damaged file must not hide the others.
                    problems.append(error.description)
                }
            }
            return (accounts, problems)
        }
        if json {
            try Terminal.say(json: .object(["users": .array(accounts.map(UserReport.json))]))
        } else {
            for account in accounts { Terminal.say(UserReport.line(account)) }
        }
        guard problems.isEmpty else { throw CommandFailure(problems.joined(separator: "\n")) }
    }
}

struct UserShow: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "show", abstract: "Show one account.")

    @OptionGroup var config: ConfigOption
    @Flag(help: "Print JSON.") var json = false
    @Argument(help: "The address.") var address: String

    func run() throws {
        let address = try UserArgument.address(address)
        let account = try config.withAccounts { (store) throws(AccountError) in try store.load(address) }
        if json {
            try Terminal.say(json: UserReport.json(account))
        } else {
            Terminal.say(UserReport.text(account))
        }
    }
}

/// Formats accounts for display, without password hashes.
enum UserReport {
    static func json(_ account: UserAccount) -> JSONValue {
        .object([
            "address": .string(account.address.description), "username": .string(account.address.local),
            "domain": .string(account.address.domain), "enabled": .bool(account.enabled),
            "admin": .bool(account.admin), "quota_mb": megabytes(account.quota),
            "quota_messages": .uint(account.quota.messages),
            "created_at": .string(account.createdAt),
        ])
    }

    static func line(_ account: UserAccount) -> String {
        var words = ["\(account.address)", quota(account)]
        if account.admin { words.append("admin") }
        if !account.enabled { words.append("disabled") }
        return words.joined(separator: "  ")
    }

    static func text(_ account: UserAccount) -> String {
        """
        address   \(account.address)
        enabled   \(account.enabled ? "yes" : "no")
        admin     \(account.admin ? "yes" : "no")
        quota     \(quota(account))
        created   \(account.createdAt.isEmpty ? "unknown" : account.createdAt)
        """
    }

    /// A whole number where it is one.
    private static func megabytes(_ quota: QuotaLimits) -> JSONValue {
        let (whole, rest) = quota.bytes.quotientAndRemainder(dividingBy: 1 << 20)
        return rest == 0 ? .uint(whole) : .number(Double(quota.bytes) / Double(1 << 20))
    }

    private static func quota(_ account: UserAccount) -> String {
        var words: [String] = []
        switch megabytes(account.quota) {
        case .number(let fraction): words.append("\(fraction) MiB")
        case let whole: if let number = whole.unsignedInteger, number > 0 { words.append("\(number) MiB") }
        }
        if account.quota.messages > 0 { words.append("\(account.quota.messages) messages") }
        return words.isEmpty ? "unlimited" : words.joined(separator: ", ")
    }
}
