package import MIME

/// The data of a message that mail programs request most, ready to be sent: its value in the read cache.
///
/// Borrowed bytes; valid as long as they are. Layout, in bytes, little-endian: ``CacheRecordHeader``, five lengths of 4
/// (all ones: absent), then the sections in that order. A change to the format of any section must raise the version:
/// values of another version are not used, and are rewritten.
package struct MessageSummary {
    package enum Section: Int, CaseIterable {
        /// ENVELOPE as sent.
        case envelope
        /// BODY as sent.
        case body
        /// BODYSTRUCTURE as sent.
        case bodyStructure
        /// The header fields of ``SummaryFields`` as written, and a blank line if the message has one or a body.
        case fields
        /// PREVIEW in UTF-8.
        case preview
    }

    package static let version: UInt8 = 3
    private static let headerSize = CacheRecordHeader.size + 4 * Section.allCases.count
    private static let absent = UInt32.max

    package let bytes: UnsafeRawBufferPointer

    /// Returns nil unless the bytes are a summary of this version made under these limits.
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

    /// Whether the summary has these sections.
    package func suffices(for sections: Set<Section>) -> Bool { sections.allSatisfy { length($0) != Self.absent } }

    /// Whether a client that reads UTF-8 must get other octets than these, which suit every client.
    package var isForeignText: Bool {
        [.envelope, .body, .bodyStructure].contains { self[$0]?.contains { $0 > 0x7E } ?? false }
    }

    private func length(_ section: Section) -> UInt32 {
        UInt32(
            littleEndian: bytes.loadUnaligned(
                fromByteOffset: CacheRecordHeader.size + 4 * section.rawValue, as: UInt32.self))
    }

    /// The bytes of a section; nil if the summary was made without it.
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

    /// Encodes a summary to be cached; a nil section is absent. Nil if it would be too large.
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

    /// Bytes of the largest summary worth caching; larger messages are read on demand.
    package static let maximumSize = 16_384
}

extension ParseLimits {
    /// A hash that identifies these limits: the parsed form of a message depends on them.
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
