/// The header fields that are parsed, recognized without converting their names to text.
enum FieldName {
    case date, subject, from, sender, replyTo, to, cc, bcc, inReplyTo, messageID
    case contentType, contentTransferEncoding, contentID, contentDescription, contentMD5
    case contentDisposition, contentLanguage, contentLocation

    /// Nil for any other field.
    init?(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        func isName(_ name: StaticString) -> Bool { bytes.equals(name, ignoringCaseAt: range) }
        // Lengths first: most fields are of no interest.
        switch range.count {
        case 2 where isName("to"): self = .to
        case 2 where isName("cc"): self = .cc
        case 3 where isName("bcc"): self = .bcc
        case 4 where isName("from"): self = .from
        case 4 where isName("date"): self = .date
        case 6 where isName("sender"): self = .sender
        case 7 where isName("subject"): self = .subject
        case 8 where isName("reply-to"): self = .replyTo
        case 10 where isName("message-id"): self = .messageID
        case 10 where isName("content-id"): self = .contentID
        case 11 where isName("in-reply-to"): self = .inReplyTo
        case 11 where isName("content-md5"): self = .contentMD5
        case 12 where isName("content-type"): self = .contentType
        case 16 where isName("content-language"): self = .contentLanguage
        case 16 where isName("content-location"): self = .contentLocation
        case 19 where isName("content-disposition"): self = .contentDisposition
        case 19 where isName("content-description"): self = .contentDescription
        case 25 where isName("content-transfer-encoding"): self = .contentTransferEncoding
        default: return nil
        }
    }
}
