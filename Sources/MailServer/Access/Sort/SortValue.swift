package import IMAPCodec
package import MIME
package import ShardFS

/// The sort key of a message under one criterion.
package enum SortValue: Sendable, Equatable {
    case number(Int64)
    /// A key for comparison by i;unicode-casemap.
    case text([UInt8])
}

extension IMAPSortCriterion.Key {
    package var isText: Bool {
        switch self {
        case .arrival, .date, .size: false
        case .cc, .from, .subject, .to, .displayFrom, .displayTo: true
        }
    }

    /// The cost of reading the key, on the scale of `SearchCriterion.cost`.
    package var cost: Int {
        switch self {
        case .size: 0
        case .arrival: 1
        default: 2
        }
    }

    /// Reads the message's sort key. Blocks.
    package func value(of entry: MessageEntry, _ reader: inout MessageReader) throws(StoreError) -> SortValue {
        switch self {
        case .arrival: .number(try reader.mailbox.internalDate(of: entry))
        case .size: .number(Int64(entry.size))
        case .date: .number(try reader.sentDate(of: entry))
        case .subject: .text(UnicodeCasemap.key(try reader.baseSubject().text))
        case .cc: .text(UnicodeCasemap.key(try reader.firstAddress(of: "cc")?.sortMailbox ?? []))
        case .from: .text(UnicodeCasemap.key(try reader.firstAddress(of: "from")?.sortMailbox ?? []))
        case .to: .text(UnicodeCasemap.key(try reader.firstAddress(of: "to")?.sortMailbox ?? []))
        case .displayFrom: .text(UnicodeCasemap.key(try reader.firstAddress(of: "from")?.display ?? []))
        case .displayTo: .text(UnicodeCasemap.key(try reader.firstAddress(of: "to")?.display ?? []))
        }
    }
}

extension MessageReader {
    /// The Date field in seconds since 1970, or else the message's arrival. RFC 5256 section 2.2.
    package mutating func sentDate(of entry: MessageEntry) throws(StoreError) -> Int64 {
        let (bytes, block) = try header(for: ["date"])
        let date = block.value(of: "date", in: bytes.span).flatMap { HeaderDate(sentDate: $0) }
        return if let date { date.seconds } else { try mailbox.internalDate(of: entry) }
    }

    package mutating func baseSubject() throws(StoreError) -> BaseSubject {
        let (bytes, block) = try header(for: ["subject"])
        return BaseSubject(block.value(of: "subject", in: bytes.span) ?? [])
    }

    /// The first address of the envelope field of that name.
    package mutating func firstAddress(of field: String) throws(StoreError) -> AddressEntry? {
        let (bytes, block) = try header(for: [field])
        for field in block.all(named: field, in: bytes.span) {
            let found = AddressList.parse(HeaderValue.unfolded(bytes.span, field.value), limit: 1)
            if let first = found.first { return first }
        }
        return nil
    }
}

extension AddressEntry {
    /// The envelope's `addr-mailbox`; for a group, its name.
    package var sortMailbox: [UInt8] {
        switch self {
        case .mailbox(let address): EncodedWord.decode(address.mailbox)
        case .groupStart(let name): EncodedWord.decode(name)
        case .groupEnd: []
        }
    }

    /// The DISPLAY sort value. RFC 5957 section 3.
    package var display: [UInt8] {
        guard case .mailbox(let address) = self else { return sortMailbox }
        let name = EncodedWord.decode(address.name ?? [])
        if !name.isEmpty { return name }
        if address.mailbox.isEmpty { return [] }
        return address.host.isEmpty ? sortMailbox : sortMailbox + [UInt8(ascii: "@")] + address.host
    }
}
