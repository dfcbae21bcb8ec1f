import ArgumentParser
import MailServer
import Primitives
import ServerConfiguration
import ServerRuntime
import ShardFS
import ShardIndex

struct IndexCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "index", abstract: "Inspect, rebuild and drop the read cache.",
        discussion: """
            Everything in the cache is also in the store, so it may be dropped at any time, even while the server is
            running.
            """,
        subcommands: [IndexStatus.self, IndexRebuild.self, IndexDrop.self])
}

/// The accounts and the cache that a subcommand of `rmail index` works on.
struct IndexTarget: ParsableArguments {
    @OptionGroup var config: ConfigOption
    @Argument(help: "Only this account.") var address: String?

    /// Runs `body` for each selected account, with the store and the cache open.
    func forEach(_ body: (Store, ShardIndex, AccountAddress) throws -> Void) throws {
        let (configuration, warnings) = try config.load(config.source())
        for warning in warnings { Terminal.complain(warning) }
        guard configuration.index.enabled else {
            throw CommandFailure("the read cache is off: index.enabled is false")
        }
        let access: StoreAccess
        do throws(StartError) {
            try Privileges.drop(configuration)
            access = try StoreAccess.open(configuration, now: { 0 }, indexLog: { Terminal.complain($0) }).access
        } catch {
            throw CommandFailure(error)
        }
        guard let index = access.index else { throw CommandFailure("the read cache is not available") }
        defer { index.close() }
        do {
            for address in try accounts(access.store) { try body(access.store, index, address) }
            try access.store.close()
        } catch let error as StoreError {
            throw CommandFailure("\(error)")
        }
    }

    private func accounts(_ store: Store) throws -> [AccountAddress] {
        guard let address else { return try store.accounts() }
        let wanted = try UserArgument.address(address)
        _ = try store.account(wanted)
        return [wanted]
    }
}

struct IndexStatus: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "status", abstract: "Show what the cache holds.")

    @OptionGroup var target: IndexTarget
    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        var rows: [(address: AccountAddress, statistics: IndexStatistics)] = []
        try target.forEach { store, index, address in
            guard let account = index.account(storeID: store.id, address) else { return }
            rows.append((address, account.statistics))
        }
        guard json else {
            for (address, statistics) in rows {
                let entries = statistics.entries.map { "\($0) entries" } ?? "nothing"
                Terminal.say("\(address)  \(entries)  \(statistics.bytes / 1024) KiB")
            }
            return
        }
        try Terminal.say(
            json: .object([
                "accounts": .array(
                    rows.map { row in
                        .object([
                            "address": .string(row.address.description),
                            "entries": row.statistics.entries.map { .integer(Int64($0)) } ?? .null,
                            "bytes": .unsigned(row.statistics.bytes),
                        ])
                    })
            ]))
    }
}

struct IndexRebuild: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rebuild", abstract: "Drop the cache and rebuild the views of all mailboxes.",
        discussion: "Cached data of single messages is rebuilt when it is next needed.")

    @OptionGroup var target: IndexTarget

    func run() throws {
        try target.forEach { store, index, address in
            index.account(storeID: store.id, address)?.drop()
            let account = try store.account(address)
            var count = 0
            for entry in try account.list() where entry.isSelectable {
                _ = try account.mailbox(entry.name)
                count += 1
            }
            index.flush()
            Terminal.say("\(address)  \(count) mailboxes")
        }
    }
}

struct IndexDrop: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drop", abstract: "Remove the cache.")

    @OptionGroup var target: IndexTarget

    func run() throws {
        try target.forEach { store, index, address in
            index.account(storeID: store.id, address)?.drop()
            Terminal.say("dropped \(address)")
        }
    }
}
