import ArgumentParser
import DurableFiles
import Glibc
import MailAccounts
import MailServer
import ServerConfiguration
import ServerRuntime
import ShardFS

/// The option `-c, --config`, and access to the configured store.
struct ConfigOption: ParsableArguments {
    @Option(
        name: [.customShort("c"), .customLong("config")],
        help: ArgumentHelp(
            "The configuration file (default: ./config.json, else \(ConfigurationSource.systemPath)).",
            valueName: "path"))
    var path: String?

    func source(_ other: String? = nil) -> ConfigurationSource {
        ConfigurationSource(path: other ?? path, surroundings: .current(), files: PathFiles())
    }

    func load(_ source: ConfigurationSource) throws -> (configuration: Configuration, warnings: [String]) {
        do {
            return try source.load(PathFiles())
        } catch {
            throw CommandFailure(error)
        }
    }

    /// Runs `body` with the accounts of the configured store, then closes the store.
    func withAccounts<R>(_ body: (AccountStore) throws(AccountError) -> R) throws -> R {
        let (configuration, warnings) = try load(source())
        for warning in warnings { Terminal.complain(warning) }
        let access: StoreAccess
        do throws(StartError) {
            try Privileges.drop(configuration)
            access = try StoreAccess.open(configuration, now: { Int64(time(nil)) }).access
        } catch {
            throw CommandFailure(error)
        }
        let result: Result<R, AccountError>
        do throws(AccountError) {
            result = .success(try body(access.accounts))
        } catch {
            result = .failure(error)
        }
        do throws(StoreError) {
            try access.store.close()
        } catch {
            Terminal.complain("could not close the store: \(error)")
        }
        do {
            return try result.get()
        } catch {
            throw CommandFailure(error)
        }
    }
}
