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
    public let accounts: AccountStore
    public let logins: LoginService
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
