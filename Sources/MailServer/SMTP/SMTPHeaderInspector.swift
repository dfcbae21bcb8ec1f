import NIOCore

/// Inspects the header of a streamed message: counts `Received` fields, keeps the `From` fields, and adds a missing
/// `Date` or `Message-ID` at the end. Memory is bounded by the longest relevant field name and the `From` fields.
///
/// Only the first empty line ends the header; lines that are not fields pass through unchanged.
struct SMTPHeaderInspector {
    /// The values of fields to add at the end of a header that lacks them.
    struct Additions {
        var date: String
        var messageID: String
    }

    enum Fault: Error {
        case tooLarge
        case tooManyReceived
    }

    private enum State {
        case lineStart
        /// A CR at the start of a line, held back because fields are added before the empty line.
        case emptyLine
        case name
        /// White space between a name and its colon (RFC 5322 section 4.5.8).
        case nameEnd
        case value(Field)
        case body
    }

    private enum Field {
        case from
        case other
    }

    private static let longestName = 10

    private let maxSize: Int
    private let maxReceived: Int
    private let additions: Additions?
    private var state = State.lineStart
    /// The name of the current field, cut to just over the longest relevant name.
    private var name: [UInt8] = []
    private var lastField: Field = .other
    private var size = 0
    private var receivedCount = 0
    private var hasDate = false
    private var hasMessageID = false
    /// The values of the `From` fields, folding included.
    private(set) var fromValues: [[UInt8]] = []

    init(maxSize: Int, maxReceived: Int, additions: Additions?) {
        self.maxSize = maxSize
        self.maxReceived = maxReceived
        self.additions = additions
    }

    /// True after the end of the header.
    var isInBody: Bool {
        if case .body = state { true } else { false }
    }

    /// Returns the bytes to store for `piece`; some may be held back for a later call.
    mutating func process(_ piece: ByteBuffer) throws(Fault) -> ByteBuffer {
        guard !isInBody else { return piece }
        var piece = piece
        var output = ByteBuffer()
        while !isInBody {
            if case .value(let field) = state {
                guard piece.readableBytes > 0 else { return output }
                try processValue(&piece, field, into: &output)
            } else {
                guard let byte = piece.readInteger(as: UInt8.self) else { return output }
                try count(1)
                try processLineStart(byte, into: &output)
            }
        }
        output.writeImmutableBuffer(piece)
        return output
    }

    /// Returns the bytes to store after the last piece of a message that ended within its header.
    mutating func finish() -> ByteBuffer {
        var output = ByteBuffer()
        defer { state = .body }
        switch state {
        case .body: return output
        case .emptyLine:
            writeAdditions(into: &output)
            output.writeInteger(UInt8(ascii: "\r"))
            return output
        case .lineStart: break
        case .name, .nameEnd, .value: if addsFields { output.writeStaticString("\r\n") }
        }
        writeAdditions(into: &output)
        return output
    }

    // MARK: - The start of a line

    private mutating func processLineStart(_ byte: UInt8, into output: inout ByteBuffer) throws(Fault) {
        switch state {
        case .lineStart:
            switch byte {
            case UInt8(ascii: "\r"):
                state = .emptyLine
                return
            case UInt8(ascii: " "), UInt8(ascii: "\t"):
                if lastField == .from { appendToFrom([byte]) }
                state = .value(lastField)
            case UInt8(ascii: ":"), ...0x20, 0x7F: beginLineWithoutName(byte)
            default:
                name = [byte]
                state = .name
            }
        case .emptyLine:
            if byte == UInt8(ascii: "\n") {
                writeAdditions(into: &output)
                state = .body
            } else {
                beginLineWithoutName(byte)
            }
            output.writeInteger(UInt8(ascii: "\r"))
        case .name, .nameEnd:
            switch byte {
            case UInt8(ascii: ":"): try beginField()
            case UInt8(ascii: " "), UInt8(ascii: "\t"): state = .nameEnd
            case ...0x20, 0x7F: beginLineWithoutName(byte)
            default:
                if case .nameEnd = state {
                    beginLineWithoutName(byte)
                } else if name.count <= Self.longestName {
                    name.append(byte)
                }
            }
        case .value, .body: break
        }
        output.writeInteger(byte)
    }

    /// Begins a line that is not a field; its continuation lines belong to no field either.
    private mutating func beginLineWithoutName(_ byte: UInt8) {
        lastField = .other
        state = byte == UInt8(ascii: "\n") ? .lineStart : .value(.other)
    }

    private mutating func beginField() throws(Fault) {
        lastField = .other
        switch String(decoding: name, as: UTF8.self).lowercased() {
        case "received":
            receivedCount += 1
            guard receivedCount <= maxReceived else { throw .tooManyReceived }
        case "date": hasDate = true
        case "message-id": hasMessageID = true
        case "from":
            lastField = .from
            fromValues.append([])
        default: break
        }
        state = .value(lastField)
    }

    // MARK: - The rest of a line

    private mutating func processValue(
        _ piece: inout ByteBuffer, _ field: Field, into output: inout ByteBuffer
    ) throws(Fault) {
        let view = piece.readableBytesView
        let lineEnd = view.firstIndex(of: UInt8(ascii: "\n"))
        let length = lineEnd.map { $0 - piece.readerIndex + 1 } ?? piece.readableBytes
        try count(length)
        guard let part = piece.readSlice(length: length) else { return }
        if field == .from { appendToFrom(Array(part.readableBytesView)[...]) }
        output.writeImmutableBuffer(part)
        if lineEnd != nil { state = .lineStart }
    }

    private mutating func appendToFrom(_ bytes: ArraySlice<UInt8>) {
        guard !fromValues.isEmpty else { return }
        fromValues[fromValues.count - 1].append(contentsOf: bytes)
    }

    // MARK: - The end

    private var addsFields: Bool { additions != nil && !(hasDate && hasMessageID) }

    private func writeAdditions(into output: inout ByteBuffer) {
        guard let additions else { return }
        if !hasDate { output.writeString("Date: \(additions.date)\r\n") }
        if !hasMessageID { output.writeString("Message-ID: \(additions.messageID)\r\n") }
    }

    private mutating func count(_ length: Int) throws(Fault) {
        size += length
        guard size <= maxSize else { throw .tooLarge }
    }
}
