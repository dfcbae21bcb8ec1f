package import IMAPCodec
package import ShardFS

// Conversions between the engine's flag bits and the protocol's flags.

extension MessageFlags {
    private static let systemFlags: [(MessageFlags, IMAPFlag)] = [
        (.answered, .answered), (.flagged, .flagged), (.deleted, .deleted), (.seen, .seen), (.draft, .draft),
    ]

    /// The protocol's system flags, all of which the engine stores.
    package static let named: [IMAPFlag] = systemFlags.map(\.1)

    /// Returns the flags as the client sees them: system flags, keywords with a letter, then `extra`, the others.
    package func imapFlags(_ keywords: KeywordTable, extra: [String], isRecent: Bool = false) -> [IMAPFlag] {
        var flags: [IMAPFlag] = []
        for (bit, flag) in Self.systemFlags where contains(bit) { flags.append(flag) }
        if isRecent { flags.append(.recent) }
        if !isDisjoint(with: .keywordMask) { flags += keywords.names(in: self).map { .keyword($0) } }
        // One that has got a letter since is named once.
        flags += extra.lazy.filter { name in keywords.flag(name).map { !contains($0) } ?? true }.map { .keyword($0) }
        return flags
    }

    /// The bit of a system flag; nil for keywords and flags that are not stored.
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

extension NamedFlags {
    /// The flags of a client's list; those that cannot be stored are ignored.
    package init(_ flags: [IMAPFlag]) {
        self.init()
        for flag in flags {
            if let bit = MessageFlags(system: flag) {
                self.flags.formUnion(bit)
            } else if case .keyword(let name) = flag {
                keywords.append(name)
            }
        }
    }
}

extension KeywordTable {
    /// Packs flags and \Recent into one number.
    package static func flagsKey(_ flags: MessageFlags, isRecent: Bool) -> UInt64 {
        flags.rawValue | (isRecent ? 1 << 63 : 0)
    }

    /// The flags packed into such a number, as the client sees them.
    package func flags(ofKey key: UInt64, extra: [String]) -> [IMAPFlag] {
        MessageFlags(rawValue: key & ~(1 << 63)).imapFlags(self, extra: extra, isRecent: key >> 63 == 1)
    }
}

extension MailboxSnapshot {
    /// The flags reported by SELECT.
    package var flags: [IMAPFlag] {
        let extra = extraKeywords.names.lazy.filter { keywords.flag($0) == nil }
        return MessageFlags.named + keywords.names.sorted { $0.key < $1.key }.map { .keyword($0.value) }
            + extra.map { .keyword($0) }
    }

    /// The flags that a client may change permanently, and `\*`: it may create keywords.
    package var permanentFlags: [IMAPFlag] { flags + [.newKeywords] }
}
