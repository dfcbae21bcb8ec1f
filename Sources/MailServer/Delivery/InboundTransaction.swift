import Logging
import MailAccess
import Primitives
package import SMTPCodec
import ServerRuntime
import ShardFS

/// One transaction, from MAIL to the message: checks recipients and opens the message. One call at a time.
package final class InboundTransaction: Sendable {
    private let delivery: LocalDelivery
    private let settings: LocalDelivery.Settings
    private let checks: [any TransactionCheck]
    /// The message changes requested by the sender checks.
    private let changes: MessageChanges

    package init(
        delivery: LocalDelivery, settings: LocalDelivery.Settings, checks: [any TransactionCheck],
        changes: MessageChanges
    ) {
        self.delivery = delivery
        self.settings = settings
        self.checks = checks
        self.changes = changes
    }

    /// Returns the destinations of mail for a recipient.
    ///
    /// A declared SIZE is checked against the quota here (RFC 1870 section 6.1), so that one full mailbox does not
    /// block the other recipients.
    package func recipient(
        _ path: SMTPForwardPath, in envelope: SMTPEnvelope
    ) async throws(Refusal) -> [Destination] {
        let (delivery, settings) = (delivery, settings)
        if let remote = IPAddress(envelope.remoteAddress), case .refused = delivery.limits.recipientAdded(remote) {
            throw .tooManyRecipients
        }
        let size = UInt64(max(envelope.parameters.size ?? 1, 1))
        do {
            return try await delivery.pool.run { () throws(DeliveryError) in
                guard let address = try Self.address(of: path, delivery.router, settings) else {
                    throw .refused(.relayNotPermitted)
                }
                return try Self.able(try delivery.router.destinations(of: address), size, path, envelope, delivery)
            }
        } catch {
            if case .work(.refused(let refusal)) = error { throw refusal }
            delivery.logger.error(
                "a recipient cannot be checked", metadata: ["recipient": "\(path)", "error": "\(error)"])
            throw .cannotCheckRecipient
        }
    }

    /// The destinations of one recipient that can take a message of `size` octets: at least one of them, or all.
    /// - Throws: the reason of the first, if none can.
    private static func able(
        _ destinations: [Destination], _ size: UInt64, _ path: SMTPForwardPath, _ envelope: SMTPEnvelope,
        _ delivery: LocalDelivery
    ) throws(DeliveryError) -> [Destination] {
        var able: [Destination] = []
        var failures: [(Destination, DeliveryError)] = []
        for destination in destinations {
            // There is no outbound relay.
            guard case .local(let account, _, _) = destination else { throw .refused(.relayNotPermitted) }
            do throws(DeliveryError) {
                try check(destination, account, size, envelope, delivery)
                able.append(destination)
            } catch {
                failures.append((destination, error))
            }
        }
        guard !able.isEmpty else { throw failures.first?.1 ?? .refused(.unknownUser) }
        for (destination, failure) in failures {
            delivery.logOmitted(destination, of: "\(path)", from: envelope, because: "\(failure)")
        }
        return able
    }

    private static func check(
        _ destination: Destination, _ account: AccountAddress, _ size: UInt64, _ envelope: SMTPEnvelope,
        _ delivery: LocalDelivery
    ) throws(DeliveryError) {
        try checkRetry(destination, account, envelope, delivery)
        guard try storing({ () throws(StoreError) in try delivery.store.account(account).hasRoom(for: size) }) else {
            throw .refused(.mailboxFull)
        }
    }

    /// Refuses a recipient that caused the sender's last message to be refused for everybody, as long as the cause lasts.
    private static func checkRetry(
        _ destination: Destination, _ account: AccountAddress, _ envelope: SMTPEnvelope, _ delivery: LocalDelivery
    ) throws(DeliveryError) {
        guard let size = delivery.refused.size(from: envelope.sender, to: account) else { return }
        guard let refusal = delivery.failure(of: destination, size: size) else {
            return delivery.refused.clear(envelope.sender, account)
        }
        throw .refused(refusal == .aMailboxFull ? .mailboxFull : refusal)
    }

    /// The address to route: `<postmaster>` and users at this host's IP addresses belong to the default domain.
    private static func address(
        of path: SMTPForwardPath, _ router: any RecipientRouter, _ settings: LocalDelivery.Settings
    ) throws(DeliveryError) -> SMTPAddress? {
        let local: String
        switch path {
        case .postmaster: local = "postmaster"
        case .address(let address):
            guard let literal = address.addressLiteral,
                OwnAddresses.contains(literal, configured: settings.publicAddresses)
            else { return address }
            local = address.localPart
        }
        var domain = settings.defaultDomain
        if domain == nil { domain = try router.anyDomain() }
        return domain.map { SMTPAddress(localPart: local, domain: $0) }
    }

    /// Opens the message. Requires at least one accepted recipient.
    package func beginMessage(_ envelope: SMTPEnvelope) async throws(Refusal) -> InboundMessage {
        let (delivery, settings) = (delivery, settings)
        if let remote = IPAddress(envelope.remoteAddress), case .refused = delivery.limits.messageStarted(remote) {
            throw .tooManyMessages
        }
        let content: IncomingContent
        do {
            content = try await delivery.pool.run { () throws(DeliveryError) in
                try InboundMessage.stage(in: delivery, settings)
            }
        } catch {
            throw delivery.refusal(for: error, "no message can be opened")
        }
        return InboundMessage(
            delivery: delivery, settings: settings, checks: checks, changes: changes, content: content)
    }
}
