public import Logging
public import MIME
import NIOConcurrencyHelpers
import NIOCore
import Primitives
public import SMTPCodec
public import ShardFS
public import ShardIndex

/// Mail for the accounts of this host: the store and the accounts behind the SMTP server.
///
/// Every local recipient of a message gets it as one step, before the client is told that it was accepted.
public final class LocalDelivery: SMTPBackend, UpdatableComponent {
    /// The settings that a reload replaces.
    public struct Settings: Sendable, Equatable {
        /// The domain of `<postmaster>`; nil when there is none.
        public var postmasterDomain: String?
        /// Bounds on what the read cache takes from a message.
        public var parseLimits: ParseLimits
    }

    public let logins: any LoginChecker
    private let settings: NIOLockedValueBox<Settings>
    private let store: Store
    private let accounts: AccountStore
    private let index: ShardIndex?
    private let limits: ConnectionLimits
    private let pool: BlockingPool
    private let logger: Logger

    /// - Parameters:
    ///   - index: the read cache; nil when it is turned off.
    ///   - pool: for calls of the engine.
    public init(
        _ settings: Settings, store: Store, accounts: AccountStore, index: ShardIndex?,
        logins: any LoginChecker, limits: ConnectionLimits, pool: BlockingPool, logger: Logger
    ) {
        self.settings = NIOLockedValueBox(settings)
        self.store = store
        self.accounts = accounts
        self.index = index
        self.logins = logins
        self.limits = limits
        self.pool = pool
        self.logger = logger
    }

    /// Takes new settings; they hold for recipients and messages to come.
    public func update(_ settings: Settings) { self.settings.withLockedValue { $0 = settings } }

    // MARK: judging

    public func recipient(_ path: SMTPForwardPath, in envelope: SMTPEnvelope) async -> SMTPRecipientVerdict {
        if let remote = IPAddress(envelope.remoteAddress), case .refused = limits.recipientAdded(remote) {
            return .rateLimited
        }
        do {
            return try await pool.run { [self] () throws(DeliveryFailure) in
                try judge(path, size: envelope.parameters.size ?? 1)
            }
        } catch {
            logger.error("recipient \(path): \(error)")
            return .unavailable
        }
    }

    /// A size that the client declared counts (RFC 1870 section 6.1): who is refused here stops no other recipient.
    private func judge(_ path: SMTPForwardPath, size: Int) throws(DeliveryFailure) -> SMTPRecipientVerdict {
        let (local, domain): (String, String)
        switch path {
        case .postmaster: (local, domain) = ("postmaster", settings.withLockedValue { $0.postmasterDomain } ?? "")
        case .address(let address): (local, domain) = (address.accountName, address.domain)
        }
        guard accounts.domainExists(domain) else { return .relayNotPermitted }
        guard let address = try? AccountAddress(local: local, domain: domain) else { return .unknownUser }
        do {
            guard let found = try accounts.find(address) else { return .unknownUser }
            guard found.account.enabled else { return .disabled }
            let account = try store.account(address)
            guard try account.hasRoom(for: UInt64(max(size, 1))) else { return .overQuota }
            return .accepted(mailbox: address.description)
        } catch {
            throw DeliveryFailure(error)
        }
    }

    // MARK: messages

    public func beginMessage(_ envelope: SMTPEnvelope) async throws(SMTPStoreFailure) -> any SMTPIncomingMessage {
        if let remote = IPAddress(envelope.remoteAddress), case .refused = limits.messageStarted(remote) {
            throw .rateLimited
        }
        guard let first = envelope.recipients.first else { throw .unavailable }
        let bounds = index == nil ? nil : settings.withLockedValue { $0.parseLimits }
        let content: IncomingContent
        do {
            content = try await pool.run { [self] () throws(DeliveryFailure) in
                IncomingContent(try inbox(of: first.mailbox).stageMessage(), limits: bounds)
            }
        } catch {
            throw failure(error, "opening a message")
        }
        return IncomingMessage(delivery: self, content: content)
    }

    fileprivate func append(_ bytes: ByteBuffer, to content: IncomingContent) async throws(SMTPStoreFailure) {
        do {
            try await pool.run { () throws(DeliveryFailure) in
                let result: Result<Void, StoreError> = bytes.withUnsafeReadableBytes { raw in
                    do throws(StoreError) { return .success(try content.write(raw)) } catch { return .failure(error) }
                }
                do { try result.get() } catch { throw DeliveryFailure(error) }
            }
        } catch {
            throw failure(error, "writing a message")
        }
    }

    fileprivate func commit(_ content: IncomingContent, _ envelope: SMTPEnvelope) async throws(SMTPStoreFailure) {
        let recipients = envelope.recipients.map(\.mailbox)
        do {
            try await pool.run { [self] () throws(DeliveryFailure) in
                do {
                    let message = try content.staged.finish()
                    let inboxes = try recipients.map { try inbox(of: $0) }
                    let results = try Delivery.deliver(message, to: inboxes)
                    let bounds = settings.withLockedValue { $0.parseLimits }
                    for (recipient, (inbox, result)) in zip(recipients, zip(inboxes, results)) {
                        let index = index?.account(storeID: store.id, try AccountAddress(parsing: recipient))
                        content.keepSummary(in: index, of: inbox, result, limits: bounds)
                    }
                } catch { throw DeliveryFailure(error) }
            }
        } catch {
            throw failure(error, "delivering to \(recipients.joined(separator: ", "))")
        }
        logger.info(
            "delivered",
            metadata: [
                "from": "\(envelope.sender)", "to": "\(recipients.joined(separator: " "))",
                "size": "\(content.staged.size)",
                "client": "\(envelope.remoteAddress)",
            ])
    }

    private func inbox(of mailbox: String) throws(DeliveryFailure) -> Mailbox {
        do {
            let account = try store.account(AccountAddress(parsing: mailbox))
            do throws(StoreError) {
                return try account.mailbox(.inbox)
            } catch {
                // An account of the old program, or one made by hand, may lack it.
                guard error.code == .notFound else { throw error }
                try account.create(.inbox)
                return try account.mailbox(.inbox)
            }
        } catch { throw DeliveryFailure(error) }
    }

    private func failure(_ error: PoolError<DeliveryFailure>, _ what: String) -> SMTPStoreFailure {
        logger.warning("\(what): \(error)")
        guard case .work(let work) = error, let code = work.code else { return .unavailable }
        switch code {
        case .overQuota: return .overQuota
        case .noSpace: return .noSpace
        default: return .unavailable
        }
    }
}

/// What kept a message from its mailboxes.
struct DeliveryFailure: Error, CustomStringConvertible {
    let description: String
    let code: StoreError.Code?

    init(_ error: any Error) {
        if let already = error as? DeliveryFailure {
            self = already
        } else {
            description = "\(error)"
            code = (error as? StoreError)?.code
        }
    }
}

extension Mailbox {
    fileprivate func stageMessage() throws(DeliveryFailure) -> StagedMessage {
        do { return try stage() } catch { throw DeliveryFailure(error) }
    }
}

/// A message on its way into the store: nothing of it has a name until it is delivered.
private final class IncomingMessage: SMTPIncomingMessage {
    private let delivery: LocalDelivery
    private let content: IncomingContent

    init(delivery: LocalDelivery, content: IncomingContent) {
        self.delivery = delivery
        self.content = content
    }

    func append(_ bytes: ByteBuffer) async throws(SMTPStoreFailure) { try await delivery.append(bytes, to: content) }

    func commit(_ envelope: SMTPEnvelope) async throws(SMTPStoreFailure) {
        try await delivery.commit(content, envelope)
    }

    /// The file goes with its last reference.
    func discard() async {}
}
