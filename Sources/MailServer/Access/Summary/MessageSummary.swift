package import MIME

/// What mail programs ask for most of a message, ready to be sent: the value that the read cache keeps for it.
///
/// Borrowed bytes; valid as long as they are. Layout, little-endian: ``CacheRecordHeader``, five lengths 4 (all ones:
/// absent), then the sections in that order. Whoever changes the form of any section raises the version: values of
/// another are not used, and are written anew.
package struct MessageSummary {
    package enum Section: Int, CaseIterable {
        /// ENVELOPE as it is sent.
        case envelope
        /// BODY as it is sent.
        case body
        /// BODYSTRUCTURE as it is sent.
        case bodyStructure
        /// The header fields of ``SummaryFields`` as they stand, and a blank line if the message has one or a body.
        case fields
        /// PREVIEW in UTF-8.
        case preview
    }

    package static let version: UInt8 = 3
    private static let headerSize = CacheRecordHeader.size + 4 * Section.allCases.count
    private static let absent = UInt32.max

    private let bytes: UnsafeRawBufferPointer

    /// Nil for what is no summary of this version made under these limits.
    ///
    /// - Parameter limits: `ParseLimits.fingerprint`.
    package init?(_ bytes: UnsafeRawBufferPointer, limits: UInt32) {
        guard bytes.count >= Self.headerSize, CacheRecordHeader(version: Self.version, limits: limits).begins(bytes)
        else {
            return nil
        }
        self.bytes = bytes
        var end = UInt64(Self.headerSize)
        for section in Section.allCases {
            let length = length(section)
            if length != Self.absent { end += UInt64(length) }
        }
        guard end == UInt64(bytes.count) else { return nil }
    }

    /// Whether the sections are here.
    package func suffices(for sections: Set<Section>) -> Bool { sections.allSatisfy { length($0) != Self.absent } }

    /// Whether a client that reads UTF-8 is to get other octets than these, which are for every client.
    package var isForeignText: Bool {
        [.envelope, .body, .bodyStructure].contains { self[$0]?.contains { $0 > 0x7E } ?? false }
    }

    private func length(_ section: Section) -> UInt32 {
        UInt32(
            littleEndian: bytes.loadUnaligned(
                fromByteOffset: CacheRecordHeader.size + 4 * section.rawValue, as: UInt32.self))
    }

    /// Nil when the summary was made without it.
    package subscript(_ section: Section) -> UnsafeRawBufferPointer? {
        var start = Self.headerSize
        for other in Section.allCases {
            let length = length(other)
            if other == section {
                guard length != Self.absent else { return nil }
                return UnsafeRawBufferPointer(rebasing: bytes[start..<start + Int(length)])
            }
            if length != Self.absent { start += Int(length) }
        }
        return nil
    }

    /// The form that is kept; a section that is nil is absent. Nil when it would be too large to keep.
    package static func encode(limits: ParseLimits, _ section: (Section) -> [UInt8]?) -> [UInt8]? {
        var header = CacheRecordHeader(version: version, limits: limits.fingerprint).bytes
        var sections: [UInt8] = []
        for kind in Section.allCases {
            let value = section(kind)
            let length = value.map { UInt32(clamping: $0.count) } ?? absent
            withUnsafeBytes(of: length.littleEndian) { header.append(contentsOf: $0) }
            sections += value ?? []
        }
        guard sections.count <= maximumSize else { return nil }
        return header + sections
    }

    /// Larger ones are not worth their place: such messages are read when somebody asks.
    package static let maximumSize = 16_384
}

extension ParseLimits {
    /// Tells limits apart: what a message looks like depends on them.
    package var fingerprint: UInt32 {
        var hash: UInt32 = 2_166_136_261
        for value in [depth, parts, headerBytes, addresses, parameters, entries, allHeaderBytes] {
            for shift in stride(from: 0, to: 64, by: 8) {
                hash = (hash ^ UInt32(truncatingIfNeeded: value >> shift) & 0xFF) &* 16_777_619
            }
        }
        return hash
    }
}
