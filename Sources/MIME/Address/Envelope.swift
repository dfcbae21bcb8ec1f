/// The header fields of IMAP's ENVELOPE (RFC 3501 section 7.4.2), as byte strings on one line each.
///
/// Encoded words and bytes above 127 are kept; none of the strings contains NUL, CR or LF.
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

    /// The last one of a repeated text field counts. Addresses of repeated fields are combined, so that none of several
    /// From fields is hidden.
    public init(_ header: HeaderBlock, in bytes: Span<UInt8>, limits: ParseLimits = .standard) {
        var entries = limits.entries
        self.init(header.fields, in: bytes, limits: limits, entries: &entries)
    }

    /// - Parameter entries: how many more entries may be taken; those taken are subtracted.
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
            case .date: date = HeaderValue.unfolded(bytes, field.value)
            case .subject: subject = HeaderValue.unfolded(bytes, field.value)
            case .inReplyTo: inReplyTo = HeaderValue.unfolded(bytes, field.value)
            case .messageID: messageID = HeaderValue.unfolded(bytes, field.value)
            case .from: add(field, to: &from)
            case .sender: add(field, to: &sender)
            case .replyTo: add(field, to: &replyTo)
            case .to: add(field, to: &to)
            case .cc: add(field, to: &cc)
            case .bcc: add(field, to: &bcc)
            default: continue
            }
        }
        if sender.isEmpty { sender = from }
        if replyTo.isEmpty { replyTo = from }
    }
}
