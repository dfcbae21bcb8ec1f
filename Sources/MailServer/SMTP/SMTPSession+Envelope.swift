import NIOCore
import SMTPCodec

extension SMTPSession {
    mutating func mail(_ sender: SMTPReversePath, _ parameters: SMTPMailParameters) -> [SMTPSessionAction] {
        guard let hello else { return refuse(.helloFirst) }
        guard case .idle = state else { return refuse(.badSequence) }
        guard messageCount < configuration.maxMessages else { return end(with: .tooManyMessages) }
        if role.requiresAuthentication && user == nil {
            return refuse(isAuthHidden ? .tlsRequired : .authRequired)
        }
        if let reply = refusal(of: sender, parameters) { return refuse(reply) }
        state = .envelope(
            SMTPEnvelope(
                sender: sender, recipients: [], parameters: parameters, user: user, remoteAddress: remoteAddress,
                clientName: hello.name, role: role))
        return [.reply(.senderOK)]
    }

    private func refusal(of sender: SMTPReversePath, _ parameters: SMTPMailParameters) -> SMTPReply? {
        // These belong to extensions that are not offered: RFC 3030, RFC 3461, RFC 8689.
        guard parameters.body != .binaryMIME, parameters.returnContent == nil, parameters.envelopeID == nil,
            !parameters.requireTLS
        else { return .unknownParameter }
        if let address = sender.address, !address.isASCII, !parameters.smtpUTF8 { return .needsSMTPUTF8 }
        if let user {
            guard let address = sender.address, user.owns(address) else { return .notYourAddress }
        }
        if let size = parameters.size, size > configuration.maxMessageSize { return .tooLarge }
        return nil
    }

    mutating func rcpt(_ path: SMTPForwardPath, _ parameters: SMTPRcptParameters) -> [SMTPSessionAction] {
        guard case .envelope(let envelope) = state else {
            if case .content = state { return refuse(.badSequence) }
            return refuse(.mailFirst)
        }
        guard parameters.notify == nil, parameters.originalRecipient == nil else { return refuse(.unknownParameter) }
        if case .address(let address) = path, !address.isASCII, !envelope.parameters.smtpUTF8 {
            return refuse(.needsSMTPUTF8)
        }
        guard envelope.acceptedCount < configuration.maxRecipients else { return [.reply(.tooManyRecipients)] }
        state = .waiting(.recipient(path, envelope))
        return [.checkRecipient(path, envelope)]
    }

    mutating func completeRecipient(
        _ verdict: SMTPRecipientVerdict, _ path: SMTPForwardPath, _ envelope: SMTPEnvelope
    ) -> [SMTPSessionAction] {
        if case .accepted(let mailbox) = verdict {
            var envelope = envelope
            envelope.accept(path, mailbox: mailbox)
            state = .envelope(envelope)
            return [.reply(.recipientOK)]
        }
        state = .envelope(envelope)
        refusedRecipientCount += 1
        let actions = SMTPReply(verdict).map { [SMTPSessionAction.reply($0)] } ?? []
        guard refusedRecipientCount < configuration.maxRefusedRecipients else {
            return actions + end(with: .tooManyErrors)
        }
        return actions
    }
}
