import NIOCore

// ENVELOPE and BODYSTRUCTURE. RFC 9051 section 7.5.2.

extension IMAPEnvelope {
    /// Returns the wire form that every client can read: non-ASCII text in literals.
    public func rendered() -> [UInt8] {
        var buffer = ByteBuffer()
        buffer.write(self, utf8: false)
        return Array(buffer.readableBytesView)
    }
}

extension IMAPBodyStructure {
    /// Returns the wire form that every client can read; BODYSTRUCTURE if `extensible`, else BODY.
    public func rendered(extensible: Bool) -> [UInt8] {
        var buffer = ByteBuffer()
        buffer.write(self, extensible: extensible, utf8: false)
        return Array(buffer.readableBytesView)
    }
}

extension IMAPBodyStructure {
    /// Whether this is a MESSAGE/GLOBAL, whose form depends on the dialect (RFC 9051 section 9).
    fileprivate var isGlobalMessage: Bool { equalsIgnoringCase(subtype, "GLOBAL") }

    /// Whether the structure contains a MESSAGE/GLOBAL, so that no single form suits all clients.
    public var holdsGlobalMessage: Bool {
        switch kind {
        case .leaf: false
        case .multipart(let parts): parts.contains(where: \.holdsGlobalMessage)
        case .message(_, _, let body): isGlobalMessage || body.holdsGlobalMessage
        }
    }
}

extension ByteBuffer {
    /// Parts nested deeper than this are sent as an empty text, so that no message can exhaust the stack.
    private static let maximumStructureDepth = 200

    mutating func write(_ envelope: IMAPEnvelope, utf8: Bool) {
        writeInteger(UInt8.openParenthesis)
        writeIMAPNString(envelope.date, utf8: utf8)
        writeInteger(UInt8.space)
        writeIMAPNString(envelope.subject, utf8: utf8)
        for addresses in [
            envelope.from, envelope.sender, envelope.replyTo, envelope.to, envelope.cc, envelope.bcc,
        ] {
            writeInteger(UInt8.space)
            write(addresses, utf8: utf8)
        }
        writeInteger(UInt8.space)
        writeIMAPNString(envelope.inReplyTo, utf8: utf8)
        writeInteger(UInt8.space)
        writeIMAPNString(envelope.messageID, utf8: utf8)
        writeInteger(UInt8.closeParenthesis)
    }

    private mutating func write(_ addresses: [IMAPAddress], utf8: Bool) {
        guard !addresses.isEmpty else {
            writeStaticString("NIL")
            return
        }
        writeInteger(UInt8.openParenthesis)
        for address in addresses {
            writeIMAPList([address.name, address.route, address.mailbox, address.host]) {
                $0.writeIMAPNString($1, utf8: utf8)
            }
        }
        writeInteger(UInt8.closeParenthesis)
    }

    mutating func write(_ structure: IMAPBodyStructure, extensible: Bool, utf8: Bool, depth: Int = 0) {
        guard depth < Self.maximumStructureDepth else { return writeEmptyText() }
        writeInteger(UInt8.openParenthesis)
        switch structure.kind {
        case .multipart(let parts):
            if parts.isEmpty { writeEmptyText() }
            for part in parts { write(part, extensible: extensible, utf8: utf8, depth: depth + 1) }
            writeInteger(UInt8.space)
            writeIMAPString(structure.subtype, utf8: utf8)
            if extensible {
                writeInteger(UInt8.space)
                write(structure.parameters, utf8: utf8)
            }
        case .leaf(let leaf):
            write(leaf, of: structure, utf8: utf8)
            if equalsIgnoringCase(leaf.type, "TEXT") { writeString(" \(leaf.lines)") }
            if extensible { writeMD5(leaf, utf8: utf8) }
        case .message(let leaf, _, _) where !utf8 && structure.isGlobalMessage:
            // IMAP4rev1 has an envelope in MESSAGE/RFC822 alone (RFC 3501 section 9): this is a leaf like any other.
            write(leaf, of: structure, utf8: utf8)
            if extensible { writeMD5(leaf, utf8: utf8) }
        case .message(let leaf, let envelope, let body):
            write(leaf, of: structure, utf8: utf8)
            writeInteger(UInt8.space)
            write(envelope, utf8: utf8)
            writeInteger(UInt8.space)
            write(body, extensible: extensible, utf8: utf8, depth: depth + 1)
            writeString(" \(leaf.lines)")
            if extensible { writeMD5(leaf, utf8: utf8) }
        }
        if extensible { writeExtension(structure, utf8: utf8) }
        writeInteger(UInt8.closeParenthesis)
    }

    /// Type, subtype, parameters, id, description, encoding and size.
    private mutating func write(_ leaf: IMAPBodyStructure.Leaf, of structure: IMAPBodyStructure, utf8: Bool) {
        writeIMAPString(leaf.type, utf8: utf8)
        writeInteger(UInt8.space)
        writeIMAPString(structure.subtype, utf8: utf8)
        writeInteger(UInt8.space)
        write(structure.parameters, utf8: utf8)
        writeInteger(UInt8.space)
        writeIMAPNString(leaf.id, utf8: utf8)
        writeInteger(UInt8.space)
        writeIMAPNString(leaf.description, utf8: utf8)
        writeInteger(UInt8.space)
        writeIMAPString(leaf.encoding, utf8: utf8)
        writeString(" \(leaf.size)")
    }

    private mutating func writeMD5(_ leaf: IMAPBodyStructure.Leaf, utf8: Bool) {
        writeInteger(UInt8.space)
        writeIMAPNString(leaf.md5, utf8: utf8)
    }

    /// Disposition, languages and location.
    private mutating func writeExtension(_ structure: IMAPBodyStructure, utf8: Bool) {
        writeInteger(UInt8.space)
        if let disposition = structure.disposition {
            writeInteger(UInt8.openParenthesis)
            writeIMAPString(disposition.type, utf8: utf8)
            writeInteger(UInt8.space)
            write(disposition.parameters, utf8: utf8)
            writeInteger(UInt8.closeParenthesis)
        } else {
            writeStaticString("NIL")
        }
        writeInteger(UInt8.space)
        switch structure.languages.count {
        case 0: writeStaticString("NIL")
        case 1: writeIMAPString(structure.languages[0], utf8: utf8)
        default: writeIMAPList(structure.languages) { $0.writeIMAPString($1, utf8: utf8) }
        }
        writeInteger(UInt8.space)
        writeIMAPNString(structure.location, utf8: utf8)
    }

    private mutating func write(_ parameters: [IMAPBodyStructure.Parameter], utf8: Bool) {
        guard !parameters.isEmpty else {
            writeStaticString("NIL")
            return
        }
        writeIMAPList(parameters) { buffer, parameter in
            buffer.writeIMAPString(parameter.name, utf8: utf8)
            buffer.writeInteger(UInt8.space)
            buffer.writeIMAPString(parameter.value, utf8: utf8)
        }
    }

    private mutating func writeEmptyText() {
        writeStaticString("(\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 0 0)")
    }
}
