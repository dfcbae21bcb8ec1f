package import IMAPCodec
package import MIME

// Converts results of the MIME module to the protocol's types. RFC 9051 section 7.5.2.

extension IMAPEnvelope {
    package init(_ envelope: Envelope) {
        self.init(
            date: envelope.date, subject: envelope.subject, from: Self.addresses(envelope.from),
            sender: Self.addresses(envelope.sender), replyTo: Self.addresses(envelope.replyTo),
            to: Self.addresses(envelope.to), cc: Self.addresses(envelope.cc), bcc: Self.addresses(envelope.bcc),
            inReplyTo: envelope.inReplyTo, messageID: envelope.messageID)
    }

    private static func addresses(_ entries: [AddressEntry]) -> [IMAPAddress] {
        entries.map { entry in
            switch entry {
            case .mailbox(let address):
                // Never NIL: a missing host would begin a group.
                IMAPAddress(name: address.name, route: address.route, mailbox: address.mailbox, host: address.host)
            case .groupStart(let name): IMAPAddress(mailbox: name, host: nil)
            case .groupEnd: IMAPAddress(mailbox: nil, host: nil)
            }
        }
    }
}

extension IMAPBodyStructure {
    package init(_ part: Part) {
        let fields = part.fields
        let leaf = Leaf(
            type: fields.type.type, id: fields.id, description: fields.description, encoding: fields.encoding,
            size: UInt64(part.size), lines: UInt64(part.lines), md5: fields.md5)
        let kind: Kind =
            switch part.structure {
            case .single: .leaf(leaf)
            case .multipart(let parts): .multipart(parts.map { IMAPBodyStructure($0) })
            case .message(let message):
                .message(leaf, envelope: IMAPEnvelope(message.envelope), body: IMAPBodyStructure(message.root))
            }
        self.init(
            kind: kind, subtype: fields.type.subtype, parameters: Self.parameters(fields.type.parameters),
            disposition: fields.disposition.map {
                Disposition(type: $0.kind, parameters: Self.parameters($0.parameters))
            },
            languages: fields.languages, location: fields.location)
    }

    private static func parameters(_ list: ParameterList) -> [Parameter] {
        list.parameters.map { Parameter(name: $0.name, value: $0.value) }
    }
}
