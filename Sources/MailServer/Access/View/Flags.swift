package import IMAPCodec
package import ShardFS

// The engine's flag bits and the protocol's flags.

extension MessageFlags {
    private static let systemFlags: [(MessageFlags, IMAPFlag)] = [
        (.answered, .answered), (.flagged, .flagged), (.deleted, .deleted), (.seen, .seen), (.draft, .draft),
    ]

    /// The system flags of the protocol, all of which the engine keeps.
    package static let named: [IMAPFlag] = systemFlags.map(\.1)

    /// As the client sees them.
    package func imapFlags(_ keywords: KeywordTable, isRecent: Bool = false) -> [IMAPFlag] {
        var flags: [IMAPFlag] = []
        for (bit, flag) in Self.systemFlags where contains(bit) { flags.append(flag) }
        if isRecent { flags.append(.recent) }
        if !isDisjoint(with: .keywordMask) { flags += keywords.names(in: self).map { .keyword($0) } }
        return flags
    }

    /// The bit of a system flag; nil for keywords and what is no stored flag.
    package init?(system flag: IMAPFlag) {
        guard let found = Self.systemFlags.first(where: { $0.1 == flag }) else { return nil }
        self = found.0
    }
}

extension IMAPFlag {
    /// Whether a client may store it: a system flag or a keyword (RFC 9051 section 2.3.2).
    package var isStorable: Bool {
        switch self {
        case .recent, .unknownSystem, .newKeywords: false
        default: true
        }
    }
}

extension Mailbox {
    /// The bits of a client's flag list; keywords that are new get a letter when `create`.
    ///
    /// Flags that are not to be stored are passed over.
    package func bits(of flags: [IMAPFlag], create: Bool) throws(StoreError) -> MessageFlags {
        var bits: MessageFlags = []
        var names: [String] = []
        for flag in flags {
            if let bit = MessageFlags(system: flag) {
                bits.formUnion(bit)
            } else if case .keyword(let name) = flag {
                names.append(name)
            }
        }
        return bits.union(try keywords(names, create: create))
    }
}

extension KeywordTable {
    /// Flags and \Recent in one number.
    package static func flagsKey(_ flags: MessageFlags, isRecent: Bool) -> UInt64 {
        flags.rawValue | (isRecent ? 1 << 63 : 0)
    }

    /// The flags of such a number, as the client sees them.
    package func flags(ofKey key: UInt64) -> [IMAPFlag] {
        MessageFlags(rawValue: key & ~(1 << 63)).imapFlags(self, isRecent: key >> 63 == 1)
    }

    /// The answer to SELECT's question which flags there are.
    package var flags: [IMAPFlag] {
        MessageFlags.named + names.sorted { $0.key < $1.key }.map { .keyword($0.value) }
    }

    /// The flags that a client may change for good; `\*` while there is room for new keywords.
    package var permanentFlags: [IMAPFlag] { isFull ? flags : flags + [.newKeywords] }
}
