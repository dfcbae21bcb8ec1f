/// The header fields that IMAP's ENVELOPE carries (RFC 3501 section 7.4.2), as byte strings on one line each.
///
/// Encoded words and bytes above 127 stay as they are; there is no NUL, CR or LF in any of them.
public struct Envelope: Sendable, Equatable {
    public internal(set) var date: [UInt8]?
    public internal(set) var subject: [UInt8]?
    public internal(set) var from: [AddressEntry] = []
    /// `from` where the field is missing or empty.
    public internal(set) var sender: [AddressEntry] = []
    /// `from` where the field is missing or empty.
    public internal(set) var replyTo: [AddressEntry] = []
    public internal(set) var to: [AddressEntry] = []
    public internal(set) var cc: [AddressEntry] = []
    public internal(set) var bcc: [AddressEntry] = []
    public internal(set) var inReplyTo: [UInt8]?
    public internal(set) var messageID: [UInt8]?

    /// Takes the first field of each kind; To, Cc and Bcc fields that are repeated are put together.
    public init(_ header: HeaderBlock, in bytes: Span<UInt8>, limits: ParseLimits = .standard) {
        var entries = limits.entries
        self.init(header.fields, in: bytes, limits: limits, entries: &entries)
    }

    /// - Parameter entries: how many entries may still be taken; the ones taken are subtracted.
    init(_ fields: [HeaderField], in bytes: Span<UInt8>, limits: ParseLimits, entries: inout Int) {
        func add(_ field: HeaderField, to list: inout [AddressEntry]) {
            let limit = min(limits.addresses - list.count, entries)
            guard limit > 0 else { return }
            let found = AddressList.parse(HeaderValue.unfolded(bytes, field.value), limit: limit)
            entries -= found.count
            if list.isEmpty { list = found } else { list += found }
        }
        for field in fields {
            switch FieldName(bytes, field.name) {
            case .date: Self.set(&date, field, bytes)
            case .subject: Self.set(&subject, field, bytes)
            case .inReplyTo: Self.set(&inReplyTo, field, bytes)
            case .messageID: Self.set(&messageID, field, bytes)
            case .from: if from.isEmpty { add(field, to: &from) }
            case .sender: if sender.isEmpty { add(field, to: &sender) }
            case .replyTo: if replyTo.isEmpty { add(field, to: &replyTo) }
            case .to: add(field, to: &to)
            case .cc: add(field, to: &cc)
            case .bcc: add(field, to: &bcc)
            default: continue
            }
        }
        if sender.isEmpty { sender = from }
        if replyTo.isEmpty { replyTo = from }
    }

    private static func set(_ text: inout [UInt8]?, _ field: HeaderField, _ bytes: Span<UInt8>) {
        if text == nil { text = HeaderValue.unfolded(bytes, field.value) }
    }
}
