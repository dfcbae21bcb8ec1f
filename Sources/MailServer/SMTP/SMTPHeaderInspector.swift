import NIOCore

/// Watches a message's header stream by: counts `Received`, notes which fields are there, keeps the `From` fields, and
/// adds missing ones at the header's end. Memory is bounded by the longest field name and the `From` fields.
///
/// The header ends at the first empty line. A line that is no field ends it too; an empty line is put in front, as the
/// line would else become part of the fields that are added above it.
struct SMTPHeaderInspector {
    /// Fields written at the header's end when the header has none of that name; each ends in CRLF.
    struct Additions {
        var date: String
        var messageID: String
    }

    enum Fault: Error {
        case tooLarge
        case tooManyReceived
    }

    /// Bytes at the start of a line are held back until it is known what line it is.
    private enum State {
        case lineStart
        case name
        /// White space between a name and its colon (RFC 5322 section 4.5.8).
        case nameEnd(Int)
        case emptyLine
        case value(Field)
        case body
    }

    private enum Field {
        case from
        case other
    }

    private static let maxNameLength = 256

    private let maxSize: Int
    private let maxReceived: Int
    private let additions: Additions?
    private var state = State.lineStart
    private var held: [UInt8] = []
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

    /// True once the header's end was seen.
    var isInBody: Bool {
        if case .body = state { true } else { false }
    }

    /// What is to be stored for `piece`; some bytes may come with a later call.
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
                try processLineStart(byte, into: &output)
            }
        }
        output.writeImmutableBuffer(piece)
        return output
    }

    /// What is to be stored behind the last piece, when the message ended within its header.
    mutating func finish() -> ByteBuffer {
        var output = ByteBuffer()
        switch state {
        case .body: return output
        case .value: output.writeStaticString("\r\n")
        case .lineStart, .name, .nameEnd, .emptyLine: break
        }
        if held.isEmpty {
            writeAdditions(into: &output)
        } else {
            endHeader(addingEmptyLine: true, into: &output)
        }
        state = .body
        return output
    }

    // MARK: - The start of a line

    private mutating func processLineStart(_ byte: UInt8, into output: inout ByteBuffer) throws(Fault) {
        try count(1)
        held.append(byte)
        switch state {
        case .lineStart:
            switch byte {
            case UInt8(ascii: "\r"): state = .emptyLine
            case UInt8(ascii: " ") where size > 1, UInt8(ascii: "\t") where size > 1: continueField(into: &output)
            case UInt8(ascii: ":"): endHeader(addingEmptyLine: true, into: &output)
            case 0x21...0x7E: state = .name
            default: endHeader(addingEmptyLine: true, into: &output)
            }
        case .name:
            switch byte {
            case UInt8(ascii: ":"): try beginField(nameLength: held.count - 1, into: &output)
            case UInt8(ascii: " "), UInt8(ascii: "\t"): state = .nameEnd(held.count - 1)
            case 0x21...0x7E where held.count <= Self.maxNameLength: break
            default: endHeader(addingEmptyLine: true, into: &output)
            }
        case .nameEnd(let nameLength):
            switch byte {
            case UInt8(ascii: ":"): try beginField(nameLength: nameLength, into: &output)
            case UInt8(ascii: " "), UInt8(ascii: "\t"):
                if held.count > Self.maxNameLength { endHeader(addingEmptyLine: true, into: &output) }
            default: endHeader(addingEmptyLine: true, into: &output)
            }
        case .emptyLine: endHeader(addingEmptyLine: byte != UInt8(ascii: "\n"), into: &output)
        case .value, .body: break
        }
    }

    private mutating func beginField(nameLength: Int, into output: inout ByteBuffer) throws(Fault) {
        var field = Field.other
        switch String(decoding: held.prefix(nameLength), as: UTF8.self).lowercased() {
        case "received":
            receivedCount += 1
            guard receivedCount <= maxReceived else { throw .tooManyReceived }
        case "date": hasDate = true
        case "message-id": hasMessageID = true
        case "from":
            field = .from
            fromValues.append([])
        default: break
        }
        lastField = field
        releaseHeld(into: &output)
        state = .value(field)
    }

    private mutating func continueField(into output: inout ByteBuffer) {
        if lastField == .from { appendToFrom(held[...]) }
        releaseHeld(into: &output)
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

    private mutating func endHeader(addingEmptyLine: Bool, into output: inout ByteBuffer) {
        writeAdditions(into: &output)
        if addingEmptyLine { output.writeStaticString("\r\n") }
        releaseHeld(into: &output)
        state = .body
    }

    private func writeAdditions(into output: inout ByteBuffer) {
        guard let additions else { return }
        if !hasDate { output.writeString("Date: \(additions.date)\r\n") }
        if !hasMessageID { output.writeString("Message-ID: \(additions.messageID)\r\n") }
    }

    private mutating func releaseHeld(into output: inout ByteBuffer) {
        output.writeBytes(held)
        held.removeAll(keepingCapacity: true)
    }

    private mutating func count(_ length: Int) throws(Fault) {
        size += length
        guard size <= maxSize else { throw .tooLarge }
    }
}
