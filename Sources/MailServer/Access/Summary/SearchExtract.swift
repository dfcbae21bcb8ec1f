package import MIME

/// The decoded header fields that searches request most. The read cache keeps them apart from the summary for messages
/// that were searched once, so that the next search walks a fraction of the memory.
///
/// Borrowed bytes; valid as long as they are. Layout, in bytes, little-endian: ``CacheRecordHeader``, then for each
/// field in order the number of its name 1, a length 4, and its text: of Date the unfolded value, of address fields what
/// `AddressList.searchText` makes of it. A change to the format must raise the version: values of another version are not used, and are rewritten.
package struct SearchExtract {
    /// The names of the fields; a field's number is its index. A subset of ``SummaryFields``.
    private static let names = ["date", "subject", "from", "to", "cc", "bcc", "message-id"].map { Array($0.utf8) }
    private static let date: UInt8 = 0
    private static let addresses: Set<UInt8> = [2, 3, 4, 5]

    private static let version: UInt8 = 4
    private static let fieldHeaderSize = 5
    /// Bytes of the largest extract worth caching.
    private static let maximumSize = 1 << 20

    private let bytes: UnsafeRawBufferPointer

    /// Octets of all.
    package var count: Int { bytes.count }

    /// Returns nil unless the bytes are an extract of this version made under these limits.
    ///
    /// - Parameter limits: `ParseLimits.fingerprint`.
    package init?(_ bytes: UnsafeRawBufferPointer, limits: UInt32) {
        guard CacheRecordHeader(version: Self.version, limits: limits).begins(bytes) else { return nil }
        self.bytes = bytes
    }

    /// The number of a field kept in extracts, as text or as addresses; nil for others.
    ///
    /// - Parameter name: in lower case.
    package static func number(ofField name: [UInt8], asAddresses: Bool) -> UInt8? {
        guard let number = names.firstIndex(of: name).flatMap({ UInt8(exactly: $0) }), number != date,
            addresses.contains(number) == asAddresses
        else { return nil }
        return number
    }

    /// Whether a field of that number contains the matcher's query.
    package func contains(_ matcher: inout TextMatcher, inFieldsNumbered number: UInt8) -> Bool {
        var isFound = false
        forEach { found, text in
            guard found == number else { return true }
            matcher.reset()
            matcher.take(text.bindMemory(to: UInt8.self).span)
            isFound = matcher.finish()
            return !isFound
        }
        return isFound
    }

    /// The unfolded value of the first Date field.
    package var date: [UInt8]? {
        var date: [UInt8]?
        forEach { found, value in
            guard found == Self.date else { return true }
            date = Array(value)
            return false
        }
        return date
    }

    @inline(__always)
    private func forEach(_ body: (UInt8, UnsafeRawBufferPointer) -> Bool) {
        var start = CacheRecordHeader.size
        while start + Self.fieldHeaderSize <= bytes.count {
            let length = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: start + 1, as: UInt32.self))
            let text = start + Self.fieldHeaderSize
            let end = text + Int(length)
            guard end <= bytes.count, body(bytes[start], UnsafeRawBufferPointer(rebasing: bytes[text..<end])) else {
                return
            }
            start = end
        }
    }

    /// The bytes, to be used after what they are borrowed from.
    package var copy: [UInt8] { Array(bytes) }

    /// Encodes an extract to be cached; nil if it would be too large.
    ///
    /// - Parameter fields: a summary's, or those of a message too large for one.
    package static func encode(_ fields: UnsafeRawBufferPointer, limits: UInt32) -> [UInt8]? {
        var bytes = CacheRecordHeader(version: version, limits: limits).bytes
        var isComplete = true
        let plain = PlainFields(fields)
        plain.forEach { field in
            guard let place = names.firstIndex(where: { plain.isName($0, field) }), let number = UInt8(exactly: place)
            else { return true }
            let text =
                if number == date {
                    plain.unfolded(field)
                } else if addresses.contains(number) {
                    plain.addressText(of: field)
                } else {
                    plain.text(of: field)
                }
            guard bytes.count + text.count <= maximumSize, let length = UInt32(exactly: text.count) else {
                isComplete = false
                return false
            }
            bytes.append(number)
            withUnsafeBytes(of: length.littleEndian) { bytes.append(contentsOf: $0) }
            bytes += text
            return true
        }
        return isComplete ? bytes : nil
    }
}
