import MailDelivery
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
        let envelope = SMTPEnvelope(
            sender: sender, parameters: parameters, user: user, remoteAddress: remoteAddress, clientName: hello.name)
        state = .waiting(.transaction(envelope))
        return [.beginTransaction(envelope)]
    }

    mutating func completeTransactionBegin(_ refusal: Refusal?, _ envelope: SMTPEnvelope) -> [SMTPSessionAction] {
        state = .idle
        if let refusal { return refuse(refusal.reply) }
        if let size = envelope.parameters.size, size > configuration.maxMessageSize { return refuse(.tooLarge) }
        state = .envelope(envelope)
        return [.reply(.senderOK)]
    }

    private func refusal(of sender: SMTPReversePath, _ parameters: SMTPMailParameters) -> SMTPReply? {
        // Parameters of extensions that are not offered: BINARYMIME (RFC 3030), DSN (RFC 3461), REQUIRETLS (RFC 8689).
        guard parameters.body != .binaryMIME, parameters.returnContent == nil, parameters.envelopeID == nil,
            !parameters.requireTLS
        else { return .unknownParameter }
        if let address = sender.address, !address.isASCII, !parameters.smtpUTF8 { return .needsSMTPUTF8 }
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
        guard envelope.recipients.count < configuration.maxRecipients else { return [.reply(.tooManyRecipients)] }
        state = .waiting(.recipient(path, envelope))
        return [.checkRecipient(path, envelope)]
    }

    mutating func completeRecipient(
        _ result: Result<[Destination], Refusal>, _ path: SMTPForwardPath, _ envelope: SMTPEnvelope
    ) -> [SMTPSessionAction] {
        var envelope = envelope
        switch result {
        case .success(let destinations):
            envelope.recipients.append(SMTPRecipient(path: path, destinations: destinations))
            state = .envelope(envelope)
            return [.reply(.recipientOK)]
        case .failure(let refusal):
            state = .envelope(envelope)
            refusedRecipientCount += 1
            let ending = refusedRecipientCount < configuration.maxRefusedRecipients ? [] : end(with: .tooManyErrors)
            return [.reply(refusal.reply)] + ending
        }
    }
}
