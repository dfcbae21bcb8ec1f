import Logging
import NIOCore
import ServerRuntime
import ShardFS

/// Periodic maintenance of the store: removes expunged messages and deleted mailboxes after their retention.
struct Maintenance: ServerComponent {
    static let interval = Duration.seconds(900)

    let store: Store
    let pool: BlockingPool
    let logger: Logger

    /// Maintains one account after another on the pool until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            await once()
            do { try await Task.sleep(for: Self.interval) } catch { return }
        }
    }

    private func once() async {
        do {
            try await pool.run { [store] () throws(StoreError) in try store.maintain() }
        } catch {
            logger.warning("maintenance of the store failed", metadata: ["error": "\(error)"])
        }
        do {
            let addresses = try await pool.run { [store] () throws(StoreError) in try store.accounts() }
            for address in addresses where !Task.isCancelled {
                do {
                    try await pool.run { [store] () throws(StoreError) in try store.account(address).maintain() }
                } catch {
                    logger.warning(
                        "maintenance of an account failed",
                        metadata: ["account": "\(address)", "error": "\(error)"])
                }
            }
        } catch {
            logger.warning("maintenance of the store failed", metadata: ["error": "\(error)"])
        }
    }
}
