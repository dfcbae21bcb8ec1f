public import NIOCore

/// Builds one FETCH response piece by piece: `init`, any number of values and literals, `end(into:)`.
///
/// All pieces go to the same stream in order; the bytes of a literal are written by the caller after its header, in
/// any number of chunks, so that a body is never in memory as a whole. RFC 9051 section 7.5.2.
public struct IMAPFetchWriter: Sendable {
    private let utf8: Bool
    private var isFirst = true

    /// Begins `* n FETCH (`.
    public init(sequenceNumber: UInt32, utf8: Bool = false, into buffer: inout ByteBuffer) {
        self.utf8 = utf8
        buffer.writeStaticString("* ")
        buffer.writeNumber(sequenceNumber)
        buffer.writeStaticString(" FETCH (")
    }

    /// Writes a value.
    public mutating func write(_ value: IMAPFetchValue, into buffer: inout ByteBuffer) {
        separate(&buffer)
        switch value {
        case .uid(let uid): buffer.writeString("UID \(uid)")
        case .flags(let flags):
            buffer.writeStaticString("FLAGS ")
            buffer.writeIMAPFlags(flags)
        case .internalDate(let moment):
            buffer.writeStaticString("INTERNALDATE ")
            buffer.writeIMAPDateTime(moment)
        case .size(let size): buffer.writeString("RFC822.SIZE \(size)")
        case .modSeq(let modSeq): buffer.writeString("MODSEQ (\(modSeq))")
        case .emailID(let id): writeID("EMAILID", id, &buffer)
        case .threadID(let id): writeID("THREADID", id, &buffer)
        case .saveDate(let moment):
            buffer.writeStaticString("SAVEDATE ")
            if let moment { buffer.writeIMAPDateTime(moment) } else { buffer.writeStaticString("NIL") }
        case .preview(let text):
            buffer.writeStaticString("PREVIEW ")
            buffer.writeIMAPNString(text.map { Array($0.utf8) }, utf8: utf8)
        case .envelope(let envelope):
            buffer.writeStaticString("ENVELOPE ")
            buffer.write(envelope, utf8: utf8)
        case .bodyStructure(let structure, let extensible):
            buffer.writeString(extensible ? "BODYSTRUCTURE " : "BODY ")
            buffer.write(structure, extensible: extensible, utf8: utf8)
        case .binarySize(let part, let size):
            buffer.writeStaticString("BINARY.SIZE[")
            buffer.writePart(part)
            buffer.writeString("] \(size)")
        case .noBody(let name):
            buffer.write(name)
            buffer.writeStaticString(" NIL")
        }
    }

    /// Writes a number, flags or a date, using renderings cached from one message to the next.
    public mutating func write(
        _ column: IMAPFetchRows.Column, of row: IMAPFetchRows.Row, using rows: inout IMAPFetchRows,
        into buffer: inout ByteBuffer, flags: (UInt64) -> [IMAPFlag]
    ) {
        separate(&buffer)
        rows.write(column, of: row, into: &buffer, flags: flags)
    }

    /// Begins the literal of a body whose name is already rendered (``IMAPFetchLiteral/rendered()``); exactly `size`
    /// octets must follow in the stream.
    public mutating func beginLiteral(renderedName: [UInt8], size: Int, into buffer: inout ByteBuffer) {
        separate(&buffer)
        buffer.writeBytes(renderedName)
        buffer.writeInteger(UInt8.space)
        buffer.writeLiteralHeader(size: size)
    }

    /// Writes an item whose value is already rendered (``IMAPEnvelope/rendered()``).
    public mutating func write(_ name: String, rendered: UnsafeRawBufferPointer, into buffer: inout ByteBuffer) {
        separate(&buffer)
        buffer.writeString(name)
        buffer.writeInteger(UInt8.space)
        buffer.writeBytes(rendered)
    }

    /// Writes the name of a body and its literal header; exactly `size` octets must follow in the stream.
    public mutating func beginLiteral(_ name: IMAPFetchLiteral, size: Int, into buffer: inout ByteBuffer) {
        separate(&buffer)
        buffer.write(name)
        buffer.writeInteger(UInt8.space)
        var isBinary = false
        if case .binary(_, _, let containsNUL) = name { isBinary = containsNUL }
        buffer.writeLiteralHeader(size: size, isBinary: isBinary)
    }

    /// Ends the response with `)` and the line end.
    public func end(into buffer: inout ByteBuffer) {
        buffer.writeInteger(UInt8.closeParenthesis)
        buffer.writeCRLF()
    }

    private mutating func separate(_ buffer: inout ByteBuffer) {
        if !isFirst { buffer.writeInteger(UInt8.space) }
        isFirst = false
    }

    private func writeID(_ name: String, _ id: String?, _ buffer: inout ByteBuffer) {
        buffer.writeString(name)
        guard let id else {
            buffer.writeStaticString(" NIL")
            return
        }
        buffer.writeStaticString(" (")
        buffer.writeIMAPAtom(id)
        buffer.writeInteger(UInt8.closeParenthesis)
    }
}

extension IMAPFetchLiteral {
    /// Returns the name in wire form.
    public func rendered() -> [UInt8] {
        var buffer = ByteBuffer()
        buffer.write(self)
        return Array(buffer.readableBytesView)
    }
}

extension ByteBuffer {
    mutating func write(_ name: IMAPFetchLiteral) {
        let origin: UInt64?
        switch name {
        case .rfc822:
            writeStaticString("RFC822")
            return
        case .rfc822Header:
            writeStaticString("RFC822.HEADER")
            return
        case .rfc822Text:
            writeStaticString("RFC822.TEXT")
            return
        case .body(let section, let offset):
            writeStaticString("BODY[")
            write(section)
            origin = offset
        case .binary(let part, let offset, _):
            writeStaticString("BINARY[")
            writePart(part)
            origin = offset
        }
        writeInteger(UInt8.closeBracket)
        if let origin { writeString("<\(origin)>") }
    }

    mutating func writePart(_ part: [UInt32]) {
        for (index, number) in part.enumerated() {
            if index > 0 { writeInteger(UInt8.dot) }
            writeNumber(number)
        }
    }

    private mutating func write(_ section: IMAPSection) {
        writePart(section.part)
        if section.specifier != .all, !section.part.isEmpty { writeInteger(UInt8.dot) }
        switch section.specifier {
        case .all: break
        case .header: writeStaticString("HEADER")
        case .text: writeStaticString("TEXT")
        case .mime: writeStaticString("MIME")
        case .headerFields(let names):
            writeStaticString("HEADER.FIELDS ")
            writeIMAPList(names) { $0.writeIMAPAString(Array($1.utf8), utf8: false) }
        case .headerFieldsNot(let names):
            writeStaticString("HEADER.FIELDS.NOT ")
            writeIMAPList(names) { $0.writeIMAPAString(Array($1.utf8), utf8: false) }
        }
    }
}
