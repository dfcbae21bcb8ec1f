package import MIME

/// What searches ask for most of a header, apart from all else that a summary has, and decoded: what the read cache
/// keeps besides for messages that were searched once, so that the next search walks a fraction of the memory.
///
/// Borrowed bytes; valid as long as they are. Layout, little-endian: ``CacheRecordHeader``, then for each field in its order
/// its name as a number 1, a length 2, and its text; of the Date field the unfolded value. Whoever changes the form raises the version: values of another are not used, and are
/// written anew.
package struct SearchExtract {
    /// Their places are their numbers; some of those in ``SummaryFields``.
    private static let names = ["date", "subject", "from", "to", "cc", "bcc", "message-id"].map { Array($0.utf8) }
    private static let date: UInt8 = 0

    private static let version: UInt8 = 2
    private static let fieldHeaderSize = 3

    private let bytes: UnsafeRawBufferPointer

    /// Nil for what is no extract of this version made under these limits.
    ///
    /// - Parameter limits: `ParseLimits.fingerprint`.
    package init?(_ bytes: UnsafeRawBufferPointer, limits: UInt32) {
        guard CacheRecordHeader(version: Self.version, limits: limits).begins(bytes) else { return nil }
        self.bytes = bytes
    }

    /// The number of a field whose text is here; nil for others.
    ///
    /// - Parameter name: in lower case.
    package static func number(ofField name: [UInt8]) -> UInt8? {
        names.firstIndex(of: name).flatMap { UInt8(exactly: $0) }.flatMap { $0 == date ? nil : $0 }
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
            let length = UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: start + 1, as: UInt16.self))
            let text = start + Self.fieldHeaderSize
            let end = text + Int(length)
            guard end <= bytes.count, body(bytes[start], UnsafeRawBufferPointer(rebasing: bytes[text..<end])) else {
                return
            }
            start = end
        }
    }

    /// The form that is kept; nil when a text is too long for it.
    ///
    /// - Parameter fields: a summary's.
    package static func encode(_ fields: UnsafeRawBufferPointer, limits: UInt32) -> [UInt8]? {
        var bytes = CacheRecordHeader(version: version, limits: limits).bytes
        var isComplete = true
        let plain = PlainFields(fields)
        plain.forEach { field in
            guard let place = names.firstIndex(where: { plain.isName($0, field) }), let number = UInt8(exactly: place)
            else { return true }
            let text = number == date ? plain.unfolded(field) : plain.text(of: field)
            guard let length = UInt16(exactly: text.count) else {
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
