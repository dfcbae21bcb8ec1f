public import NIOCore
import Primitives

/// Writes responses in wire form.
public struct IMAPResponseEncoder: Sendable {
    /// Mailbox names and quoted strings in UTF-8: set when UTF8=ACCEPT or IMAP4rev2 is enabled.
    public var utf8: Bool

    public init(utf8: Bool = false) {
        self.utf8 = utf8
    }

    /// Appends a response, with its line end.
    public func encode(_ response: IMAPResponse, into buffer: inout ByteBuffer) {
        switch response {
        case .status(let tag, let status, let code, let text):
            writeStatus(tag: tag, status.rawValue, code, text, &buffer)
        case .preauth(let code, let text): writeStatus(tag: nil, "PREAUTH", code, text, &buffer)
        case .bye(let code, let text): writeStatus(tag: nil, "BYE", code, text, &buffer)
        case .continuation(let text):
            buffer.writeStaticString("+ ")
            buffer.writeIMAPText(text, utf8: utf8)
        case .challenge(let bytes):
            buffer.writeStaticString("+ ")
            buffer.writeBytes(Base64.encode(bytes))
        default:
            buffer.writeStaticString("* ")
            writeData(response, &buffer)
        }
        buffer.writeCRLF()
    }

    private func writeStatus(
        tag: String?, _ status: String, _ code: IMAPResponseCode?, _ text: String, _ buffer: inout ByteBuffer
    ) {
        if let tag { buffer.writeIMAPTag(tag) } else { buffer.writeInteger(UInt8.star) }
        buffer.writeInteger(UInt8.space)
        buffer.writeString(status)
        buffer.writeInteger(UInt8.space)
        if let code {
            buffer.writeInteger(UInt8.openBracket)
            write(code, &buffer)
            buffer.writeStaticString("] ")
        }
        buffer.writeIMAPText(text, utf8: utf8)
    }

    private func writeData(_ response: IMAPResponse, _ buffer: inout ByteBuffer) {
        switch response {
        case .status, .preauth, .bye, .continuation, .challenge: break
        case .capability(let names): writeAtoms("CAPABILITY", names, &buffer)
        case .enabled(let names): writeAtoms("ENABLED", names, &buffer)
        case .id(let fields): writeID(fields, &buffer)
        case .flags(let flags):
            buffer.writeStaticString("FLAGS ")
            buffer.writeIMAPFlags(flags)
        case .exists(let count): writeNumbered(count, "EXISTS", &buffer)
        case .recent(let count): writeNumbered(count, "RECENT", &buffer)
        case .expunge(let number): writeNumbered(number, "EXPUNGE", &buffer)
        case .vanished(let earlier, let uids):
            buffer.writeString(earlier ? "VANISHED (EARLIER) " : "VANISHED ")
            buffer.writeIMAPSet(uids)
        case .search(let numbers, let modSeq): writeNumbers("SEARCH", numbers, modSeq, &buffer)
        case .sort(let numbers, let modSeq): writeNumbers("SORT", numbers, modSeq, &buffer)
        case .esearch(let result): writeExtendedSearch(result, &buffer)
        case .thread(let tokens): writeThread(tokens, &buffer)
        case .list(let entry): writeList(entry, &buffer)
        case .lsub(let attributes, let mailbox):
            buffer.writeStaticString("LSUB ")
            buffer.writeIMAPList(attributes) { $0.writeIMAPAtom($1) }
            buffer.writeStaticString(" \"/\" ")
            buffer.writeIMAPMailbox(mailbox, utf8: utf8)
        case .mailboxStatus(let mailbox, let values): writeMailboxStatus(mailbox, values, &buffer)
        case .namespace(let personal, let others, let shared):
            buffer.writeStaticString("NAMESPACE ")
            buffer.writeIMAPWords([personal, others, shared]) { writeNamespaces($1, &$0) }
        case .quota(let root, let usages):
            buffer.writeStaticString("QUOTA ")
            buffer.writeIMAPAString(Array(root.utf8), utf8: utf8)
            buffer.writeInteger(UInt8.space)
            buffer.writeIMAPList(usages) { buffer, usage in
                buffer.writeIMAPAtom(usage.resource)
                buffer.writeString(" \(usage.usage) \(usage.limit)")
            }
        case .quotaRoot(let mailbox, let roots):
            buffer.writeStaticString("QUOTAROOT ")
            buffer.writeIMAPMailbox(mailbox, utf8: utf8)
            for root in roots {
                buffer.writeInteger(UInt8.space)
                buffer.writeIMAPAString(Array(root.utf8), utf8: utf8)
            }
        case .metadata(let mailbox, let entries):
            buffer.writeStaticString("METADATA ")
            buffer.writeIMAPMailbox(mailbox, utf8: utf8)
            buffer.writeInteger(UInt8.space)
            buffer.writeIMAPList(entries) { buffer, entry in
                buffer.writeIMAPAString(Array(entry.name.utf8), utf8: utf8)
                buffer.writeInteger(UInt8.space)
                if let value = entry.value, value.contains(0) {
                    buffer.writeLiteralHeader(size: value.count, isBinary: true)
                    buffer.writeBytes(value)
                } else {
                    buffer.writeIMAPNString(entry.value, utf8: utf8)
                }
            }
        case .metadataChanged(let mailbox, let entries):
            buffer.writeStaticString("METADATA ")
            buffer.writeIMAPMailbox(mailbox, utf8: utf8)
            buffer.writeInteger(UInt8.space)
            buffer.writeIMAPWords(entries) { $0.writeIMAPAString(Array($1.utf8), utf8: utf8) }
        }
    }

    // MARK: Pieces

    private func writeAtoms(_ name: String, _ atoms: [String], _ buffer: inout ByteBuffer) {
        buffer.writeString(name)
        for atom in atoms {
            buffer.writeInteger(UInt8.space)
            buffer.writeIMAPAtom(atom)
        }
    }

    private func writeNumbered(_ number: UInt32, _ name: String, _ buffer: inout ByteBuffer) {
        buffer.writeNumber(number)
        buffer.writeInteger(UInt8.space)
        buffer.writeString(name)
    }

    private func writeID(_ fields: [IMAPIDField]?, _ buffer: inout ByteBuffer) {
        buffer.writeStaticString("ID ")
        guard let fields, !fields.isEmpty else {
            buffer.writeStaticString("NIL")
            return
        }
        buffer.writeIMAPList(fields) { buffer, field in
            buffer.writeIMAPString(Array(field.name.utf8), utf8: utf8)
            buffer.writeInteger(UInt8.space)
            buffer.writeIMAPNString(field.value, utf8: utf8)
        }
    }

    private func writeNumbers(_ name: String, _ numbers: [UInt32], _ modSeq: UInt64?, _ buffer: inout ByteBuffer) {
        buffer.writeString(name)
        for number in numbers {
            buffer.writeInteger(UInt8.space)
            buffer.writeNumber(number)
        }
        if let modSeq, !numbers.isEmpty { buffer.writeString(" (MODSEQ \(modSeq))") }
    }

    private func writeExtendedSearch(_ result: IMAPExtendedSearchResult, _ buffer: inout ByteBuffer) {
        buffer.writeStaticString("ESEARCH (TAG ")
        buffer.writeIMAPString(Array(result.tag.utf8), utf8: utf8)
        buffer.writeString(result.byUID ? ") UID" : ")")
        if let min = result.min { buffer.writeString(" MIN \(min)") }
        if let max = result.max { buffer.writeString(" MAX \(max)") }
        if let all = result.all, !all.isEmpty {
            buffer.writeStaticString(" ALL ")
            buffer.writeIMAPSet(all)
        }
        if let count = result.count { buffer.writeString(" COUNT \(count)") }
        if let (range, numbers) = result.partial {
            let sign = range.fromEnd ? "-" : ""
            buffer.writeString(" PARTIAL (\(sign)\(range.positions.lowerBound):\(sign)\(range.positions.upperBound) ")
            if numbers.isEmpty { buffer.writeStaticString("NIL") } else { buffer.writeIMAPSet(numbers) }
            buffer.writeInteger(UInt8.closeParenthesis)
        }
        if let modSeq = result.modSeq { buffer.writeString(" MODSEQ \(modSeq)") }
    }

    private func writeThread(_ tokens: [IMAPThreadToken], _ buffer: inout ByteBuffer) {
        buffer.writeStaticString("THREAD")
        if !tokens.isEmpty { buffer.writeInteger(UInt8.space) }
        var followsNumber = false
        for token in tokens {
            switch token {
            case .open:
                if followsNumber { buffer.writeInteger(UInt8.space) }
                buffer.writeInteger(UInt8.openParenthesis)
                followsNumber = false
            case .number(let number):
                if followsNumber { buffer.writeInteger(UInt8.space) }
                buffer.writeNumber(number)
                followsNumber = true
            case .close:
                buffer.writeInteger(UInt8.closeParenthesis)
                followsNumber = false
            }
        }
    }

    private func writeSeparator(_ separator: Character?, _ buffer: inout ByteBuffer) {
        if let separator, separator.isASCII {
            buffer.writeIMAPString(Array(separator.utf8), utf8: false)
        } else {
            buffer.writeStaticString("NIL")
        }
    }

    private func writeList(_ entry: IMAPListEntry, _ buffer: inout ByteBuffer) {
        buffer.writeStaticString("LIST ")
        buffer.writeIMAPList(entry.attributes) { $0.writeIMAPAtom($1) }
        buffer.writeInteger(UInt8.space)
        writeSeparator(entry.separator, &buffer)
        buffer.writeInteger(UInt8.space)
        buffer.writeIMAPMailbox(entry.mailbox, utf8: utf8)
        guard !entry.childInfo.isEmpty || entry.oldName != nil else { return }
        buffer.writeStaticString(" (")
        if !entry.childInfo.isEmpty {
            buffer.writeStaticString("\"CHILDINFO\" ")
            buffer.writeIMAPList(entry.childInfo) { $0.writeIMAPString(Array($1.utf8), utf8: false) }
        }
        if let oldName = entry.oldName {
            if !entry.childInfo.isEmpty { buffer.writeInteger(UInt8.space) }
            buffer.writeStaticString("\"OLDNAME\" (")
            buffer.writeIMAPMailbox(oldName, utf8: utf8)
            buffer.writeInteger(UInt8.closeParenthesis)
        }
        buffer.writeInteger(UInt8.closeParenthesis)
    }

    private func writeMailboxStatus(_ mailbox: String, _ values: [IMAPStatusValue], _ buffer: inout ByteBuffer) {
        buffer.writeStaticString("STATUS ")
        buffer.writeIMAPMailbox(mailbox, utf8: utf8)
        buffer.writeInteger(UInt8.space)
        buffer.writeIMAPList(values) { buffer, value in
            switch value {
            case .number(let item, let number): buffer.writeString("\(item.rawValue) \(number)")
            case .appendLimit(let limit):
                buffer.writeStaticString("APPENDLIMIT ")
                if let limit { buffer.writeNumber(limit) } else { buffer.writeStaticString("NIL") }
            case .mailboxID(let id):
                buffer.writeStaticString("MAILBOXID (")
                buffer.writeIMAPAtom(id)
                buffer.writeInteger(UInt8.closeParenthesis)
            }
        }
    }

    private func writeNamespaces(_ namespaces: [IMAPNamespace], _ buffer: inout ByteBuffer) {
        guard !namespaces.isEmpty else {
            buffer.writeStaticString("NIL")
            return
        }
        buffer.writeInteger(UInt8.openParenthesis)
        for namespace in namespaces {
            buffer.writeInteger(UInt8.openParenthesis)
            let prefix = utf8 ? Array(namespace.prefix.utf8) : MailboxNameCoding.encode(namespace.prefix)
            buffer.writeIMAPString(prefix, utf8: utf8)
            buffer.writeInteger(UInt8.space)
            writeSeparator(namespace.separator, &buffer)
            buffer.writeInteger(UInt8.closeParenthesis)
        }
        buffer.writeInteger(UInt8.closeParenthesis)
    }
}
