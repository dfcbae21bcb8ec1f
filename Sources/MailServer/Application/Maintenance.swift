import Logging
import NIOCore
import ShardFS

/// What the store needs from time to time: expunged messages and deleted mailboxes go when their retention ends.
struct Maintenance: Sendable {
    static let interval = Duration.seconds(900)

    let environment: ServerEnvironment

    /// Runs until the task is cancelled, one account after the other, each on the pool.
    func run() async {
        let logger = environment.log.logger("maintenance")
        while !Task.isCancelled {
            await once(logger)
            do { try await Task.sleep(for: Self.interval) } catch { return }
        }
    }

    private func once(_ logger: Logger) async {
        let environment = environment
        do {
            let addresses = try await environment.filePool.run { () throws(DeliveryFailure) in
                do { return try environment.store.accounts() } catch { throw DeliveryFailure(error) }
            }
            for address in addresses where !Task.isCancelled {
                do {
                    try await environment.filePool.run { () throws(DeliveryFailure) in
                        do { try environment.store.account(address).maintain() } catch { throw DeliveryFailure(error) }
                    }
                } catch {
                    logger.warning("\(address): \(error)")
                }
            }
        } catch {
            logger.warning("\(error)")
        }
    }
}
