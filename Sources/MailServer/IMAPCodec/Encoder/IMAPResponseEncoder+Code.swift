import NIOCore

extension IMAPResponseEncoder {
    /// Writes a code, without its brackets.
    func write(_ code: IMAPResponseCode, _ buffer: inout ByteBuffer) {
        if let name = code.plainName {
            buffer.writeStaticString(name)
            return
        }
        switch code {
        case .badCharset(let names):
            buffer.writeStaticString("BADCHARSET")
            if !names.isEmpty {
                buffer.writeInteger(UInt8.space)
                buffer.writeIMAPList(names) { $0.writeIMAPAtom($1) }
            }
        case .capability(let names):
            buffer.writeStaticString("CAPABILITY ")
            buffer.writeIMAPWords(names) { $0.writeIMAPAtom($1) }
        case .permanentFlags(let flags):
            buffer.writeStaticString("PERMANENTFLAGS ")
            buffer.writeIMAPFlags(flags)
        case .badEvent(let names):
            buffer.writeStaticString("BADEVENT ")
            buffer.writeIMAPList(names) { $0.writeIMAPAtom($1) }
        case .uidNext(let uid): buffer.writeString("UIDNEXT \(uid)")
        case .uidValidity(let value): buffer.writeString("UIDVALIDITY \(value)")
        case .unseen(let number): buffer.writeString("UNSEEN \(number)")
        case .highestModSeq(let modSeq): buffer.writeString("HIGHESTMODSEQ \(modSeq)")
        case .metadataLongEntries(let size): buffer.writeString("METADATA LONGENTRIES \(size)")
        case .metadataMaxSize(let size): buffer.writeString("METADATA MAXSIZE \(size)")
        case .mailboxID(let id):
            buffer.writeStaticString("MAILBOXID (")
            buffer.writeIMAPAtom(id)
            buffer.writeInteger(UInt8.closeParenthesis)
        case .appendUID(let uidValidity, let uids):
            buffer.writeString("APPENDUID \(uidValidity) ")
            buffer.writeIMAPSet(uids)
        case .copyUID(let uidValidity, let source, let destination):
            buffer.writeString("COPYUID \(uidValidity) ")
            buffer.writeIMAPSet(source)
            buffer.writeInteger(UInt8.space)
            buffer.writeIMAPSet(destination)
        case .modified(let numbers):
            buffer.writeStaticString("MODIFIED ")
            buffer.writeIMAPSet(numbers)
        case .inProgress(let tag, let done, let goal): writeProgress(tag, done, goal, &buffer)
        default: break
        }
    }

    private func writeProgress(_ tag: String?, _ done: UInt32?, _ goal: UInt32?, _ buffer: inout ByteBuffer) {
        buffer.writeStaticString("INPROGRESS")
        guard tag != nil || done != nil || goal != nil else { return }
        buffer.writeStaticString(" (")
        buffer.writeIMAPNString(tag.map { Array($0.utf8) }, utf8: false)
        for number in [done, goal] {
            buffer.writeInteger(UInt8.space)
            if let number { buffer.writeNumber(number) } else { buffer.writeStaticString("NIL") }
        }
        buffer.writeInteger(UInt8.closeParenthesis)
    }
}

extension IMAPResponseCode {
    /// The whole code if it has no arguments; else nil.
    var plainName: StaticString? {
        switch self {
        case .alert: "ALERT"
        case .parse: "PARSE"
        case .readOnly: "READ-ONLY"
        case .readWrite: "READ-WRITE"
        case .tryCreate: "TRYCREATE"
        case .closed: "CLOSED"
        case .unavailable: "UNAVAILABLE"
        case .authenticationFailed: "AUTHENTICATIONFAILED"
        case .authorizationFailed: "AUTHORIZATIONFAILED"
        case .expired: "EXPIRED"
        case .privacyRequired: "PRIVACYREQUIRED"
        case .contactAdmin: "CONTACTADMIN"
        case .noPerm: "NOPERM"
        case .inUse: "INUSE"
        case .expungeIssued: "EXPUNGEISSUED"
        case .corruption: "CORRUPTION"
        case .serverBug: "SERVERBUG"
        case .clientBug: "CLIENTBUG"
        case .cannot: "CANNOT"
        case .limit: "LIMIT"
        case .overQuota: "OVERQUOTA"
        case .alreadyExists: "ALREADYEXISTS"
        case .nonexistent: "NONEXISTENT"
        case .uidNotSticky: "UIDNOTSTICKY"
        case .noModSeq: "NOMODSEQ"
        case .notSaved: "NOTSAVED"
        case .useAttr: "USEATTR"
        case .metadataTooMany: "METADATA TOOMANY"
        case .metadataNoPrivate: "METADATA NOPRIVATE"
        case .notificationOverflow: "NOTIFICATIONOVERFLOW"
        case .unknownCTE: "UNKNOWN-CTE"
        case .compressionActive: "COMPRESSIONACTIVE"
        case .tooBig: "TOOBIG"
        case .hasChildren: "HASCHILDREN"
        case .badCharset, .capability, .permanentFlags, .uidNext, .uidValidity, .unseen, .appendUID, .copyUID,
            .highestModSeq, .modified, .metadataLongEntries, .metadataMaxSize, .badEvent, .mailboxID, .inProgress:
            nil
        }
    }
}

extension ByteBuffer {
    /// Writes a tag; any byte that the parser would not accept becomes `_`.
    mutating func writeIMAPTag(_ tag: String) {
        for byte in tag.utf8 { writeInteger(byte.isTagCharacter ? byte : UInt8(ascii: "_")) }
    }
}
