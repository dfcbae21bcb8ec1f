import Logging
import NIOConcurrencyHelpers
import NIOCore
public import SMTPCodec
import ShardFS

/// Mail for the accounts of this host: the store and the accounts behind the SMTP server.
///
/// Every local recipient of a message gets it as one step, before the client is told that it was accepted.
public final class LocalDelivery: SMTPBackend {
    private let environment: ServerEnvironment
    private let logger: Logger
    /// Places of open connections by address; which of an address's it is does not matter.
    private let tickets = NIOLockedValueBox<[String: [ConnectionLimits.Ticket]]>([:])

    public init(_ environment: ServerEnvironment) {
        self.environment = environment
        logger = environment.log.logger("delivery")
    }

    // MARK: connections

    public func connectionOpened(from remoteAddress: String) -> Bool {
        switch environment.limits.admit(IPAddress(remoteAddress), to: .smtp, perAddress: true) {
        case .admitted(let ticket):
            tickets.withLockedValue { $0[remoteAddress, default: []].append(ticket) }
            return true
        case .serviceFull, .refused: return false
        }
    }

    public func connectionClosed(from remoteAddress: String) {
        let ticket: ConnectionLimits.Ticket? = tickets.withLockedValue { table in
            let ticket = table[remoteAddress]?.popLast()
            if table[remoteAddress]?.isEmpty == true { table[remoteAddress] = nil }
            return ticket
        }
        ticket?.close()
    }

    // MARK: judging

    public var logins: any LoginChecker { environment.logins }

    public func recipient(_ path: SMTPForwardPath, in envelope: SMTPEnvelope) async -> SMTPRecipientVerdict {
        if let remote = IPAddress(envelope.remoteAddress), case .refused = environment.limits.recipientAdded(remote) {
            return .rateLimited
        }
        let environment = environment
        do {
            return try await environment.filePool.run { () throws(DeliveryFailure) in
                try Self.judge(path, size: envelope.parameters.size ?? 1, environment)
            }
        } catch {
            logger.error("recipient \(path): \(error)")
            return .unavailable
        }
    }

    /// A size that the client declared counts (RFC 1870 section 6.1): who is refused here stops no other recipient.
    private static func judge(
        _ path: SMTPForwardPath, size: Int, _ environment: ServerEnvironment
    ) throws(DeliveryFailure) -> SMTPRecipientVerdict {
        let (local, domain): (String, String)
        switch path {
        case .postmaster: (local, domain) = ("postmaster", environment.configuration.domains.first ?? "")
        case .address(let address): (local, domain) = (address.accountName, address.domain)
        }
        guard environment.accounts.domainExists(domain) else { return .relayNotPermitted }
        guard let address = try? AccountAddress(local: local, domain: domain) else { return .unknownUser }
        do {
            guard let found = try environment.accounts.find(address) else { return .unknownUser }
            guard found.account.enabled else { return .disabled }
            let account = try environment.store.account(address)
            guard try account.hasRoom(for: UInt64(max(size, 1))) else { return .overQuota }
            return .accepted(mailbox: address.description)
        } catch {
            throw DeliveryFailure(error)
        }
    }

    // MARK: messages

    public func beginMessage(_ envelope: SMTPEnvelope) async throws(SMTPStoreFailure) -> any SMTPIncomingMessage {
        if let remote = IPAddress(envelope.remoteAddress), case .refused = environment.limits.messageStarted(remote) {
            throw .rateLimited
        }
        guard let first = envelope.recipients.first else { throw .unavailable }
        let environment = environment
        let limits = environment.index == nil ? nil : environment.configuration.parseLimits
        let content: IncomingContent
        do {
            content = try await environment.filePool.run { () throws(DeliveryFailure) in
                IncomingContent(try Self.inbox(of: first.mailbox, environment).stageMessage(), limits: limits)
            }
        } catch {
            throw failure(error, "opening a message")
        }
        return IncomingMessage(delivery: self, content: content)
    }

    fileprivate func append(_ bytes: ByteBuffer, to content: IncomingContent) async throws(SMTPStoreFailure) {
        do {
            try await environment.filePool.run { () throws(DeliveryFailure) in
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
        let environment = environment
        let recipients = envelope.recipients.map(\.mailbox)
        do {
            try await environment.filePool.run { () throws(DeliveryFailure) in
                do {
                    let message = try content.staged.finish()
                    let inboxes = try recipients.map { try Self.inbox(of: $0, environment) }
                    let results = try Delivery.deliver(message, to: inboxes)
                    let limits = environment.configuration.parseLimits
                    for (recipient, (inbox, result)) in zip(recipients, zip(inboxes, results)) {
                        let index = environment.index(of: try AccountAddress(parsing: recipient))
                        content.keepSummary(in: index, of: inbox, result, limits: limits)
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

    private static func inbox(
        of mailbox: String, _ environment: ServerEnvironment
    ) throws(DeliveryFailure) -> Mailbox {
        do {
            let account = try environment.store.account(AccountAddress(parsing: mailbox))
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
