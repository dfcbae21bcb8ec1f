/// The directory name of one component of a mailbox name.
///
/// Unsafe bytes are written as `%` and two upper-case hexadecimal digits: `%` itself, a leading `.`, control characters
/// (U+0001 to U+001F, U+007F to U+009F), and the first byte of a name reserved by the layout. Nothing else is encoded,
/// so each component has exactly one directory name, and a directory that is not the encoding of a component is
/// foreign.
enum MailboxDirectoryName {
    /// Names that the layout uses for other files inside a mailbox; those with a leading dot are safe already.
    static let reserved: Set<String> = ["mailboxes", "status.json", "changes.log"]

    /// The directory name of a component (NFC, without `/`).
    static func encode(_ component: String) -> String {
        let hidesFirst =
            component.utf8.first == 0x2E || reserved.contains(component) || ShardName.parse(component) != nil
        var bytes: [UInt8] = []
        bytes.reserveCapacity(component.utf8.count)
        for scalar in component.unicodeScalars {
            let hides = scalar == "%" || isControl(scalar) || (hidesFirst && bytes.isEmpty)
            for byte in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter {
                if hides {
                    bytes += [0x25, digit(byte >> 4), digit(byte & 15)]
                } else {
                    bytes.append(byte)
                }
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Decodes a directory name to its component; nil for bytes that are not UTF-8, or a broken escape.
    ///
    /// Only undoes escapes: the caller checks that the result is a component, and the name its encoding.
    static func decode(_ name: some Collection<UInt8>) -> String? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(name.count)
        var rest = name.makeIterator()
        while let byte = rest.next() {
            if byte == 0x25 {
                guard let high = rest.next().flatMap(value), let low = rest.next().flatMap(value) else { return nil }
                bytes.append(high << 4 | low)
            } else {
                bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
    }

    private static func digit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x41 + value - 10 }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case 0x30...0x39: digit - 0x30
        case 0x41...0x46: digit - 0x41 + 10
        default: nil
        }
    }
}
