import Glibc
import NIOConcurrencyHelpers
public import NIOCore
public import ShardFS
public import ShardIndex

/// What all services of a running server share.
public struct ServerEnvironment: Sendable {
    /// The program's version.
    public let version: String
    /// As the server started.
    public let configuration: Configuration
    public let store: Store
    public let accounts: StoreAccess.Accounts
    public let logins: LoginService<LocalAccountFiles>
    public let limits: ConnectionLimits
    /// The read cache; nil when it is turned off.
    public let index: ShardIndex?
    /// nil when TLS is turned off.
    public let tls: TLSContextHolder?
    /// For calls of the engine and all other blocking file work.
    public let filePool: BlockingPool
    public let group: any EventLoopGroup
    public let log: LogOutput

    /// The read cache of an account.
    func index(of address: AccountAddress) -> AccountIndex? { index?.account(storeID: store.id, address) }
}

/// The machine's clocks.
enum Clocks {
    /// Nanoseconds since some point before the start of the process.
    static func monotonic() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }

    /// Seconds since 1970 UTC.
    static func wall() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec)
    }
}
