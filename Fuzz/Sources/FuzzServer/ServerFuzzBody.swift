import CPosix
import IMAPCodec
import MIME
import NIOCore
import ShardFS

@testable import MailAccess
@testable import MailIMAP
@testable import MailSMTP
@testable import ServerRuntime
@testable import ShardIndex

// The body of the fuzz target, run on each input. The server's tests run it too, on the seed corpus.

/// Passes the input to the parser chosen by its first byte.
func fuzzServer(_ bytes: [UInt8]) {
    guard let choice = bytes.first else { return }
    let rest = Array(bytes.dropFirst())
    switch choice & 7 {
    case 0: checkSASL(rest)
    case 1: checkSummary(rest)
    case 2: checkAnswers(of: rest)
    case 3: checkInflater(rest, step: Int(choice >> 3) + 1)
    case 4: checkDeflater(rest, step: Int(choice >> 3) + 1)
    case 5: checkPattern(rest)
    case 6: checkStateRecord(rest)
    default: checkInspector(rest, step: Int(choice >> 3) + 1)
    }
}

// MARK: values in the read cache

/// Checks the bytes as a summary, unchanged and with a correct header.
private func checkSummary(_ bytes: [UInt8]) {
    let limits = ParseLimits.standard.fingerprint
    let right = [MessageSummary.version, 0, 0, 0] + withUnsafeBytes(of: limits.littleEndian) { Array($0) } + bytes
    for bytes in [bytes, right] {
        bytes.withUnsafeBytes { bytes in
            guard let summary = MessageSummary(bytes, limits: limits) else { return }
            let all = MessageSummary.Section.allCases
            let sections = all.compactMap { summary[$0] }
            precondition(sections.reduce(28) { $0 + $1.count } == bytes.count, "a summary's sections are not all of it")
            precondition(all.allSatisfy { (summary[$0] != nil) == summary.suffices(for: [$0]) }, "a section is missing")
            _ = summary.isForeignText
        }
    }
}

/// Checks that ENVELOPE and BODYSTRUCTURE match the grammar, and that the summary does not depend on how the message is
/// split.
private func checkAnswers(of bytes: [UInt8]) {
    let limits = ParseLimits.standard
    let message = Message(parsing: bytes, limits: limits)
    let structure = IMAPBodyStructure(message.root)
    check(IMAPEnvelope(message.envelope).rendered()) { text throws in try text.envelope() }
    check(structure.rendered(extensible: false)) { text throws in try text.body(isExtensible: false) }
    check(structure.rendered(extensible: true)) { text throws in try text.body(isExtensible: true) }
    var whole = SummaryBuilder(limits: limits, memory: .max)
    _ = whole.feed(bytes.span)
    var pieces = SummaryBuilder(limits: limits, memory: .max)
    var start = 0
    while start < bytes.count {
        let end = min(start + 1 + Int(bytes[start]) % 64, bytes.count)
        _ = pieces.feed(bytes.span.extracting(start..<end))
        start = end
    }
    let summary = whole.finish()
    precondition(summary == pieces.finish(), "the pieces that a message comes in change its summary")
    summary?.withUnsafeBytes { bytes in
        let summary = MessageSummary(bytes, limits: limits.fingerprint)
        precondition(summary?.suffices(for: [.envelope, .fields]) == true)
        // A structure with two forms is not cached but rendered each time.
        let kept = structure.holdsGlobalMessage ? nil : structure.rendered(extensible: true)
        precondition(summary?[.bodyStructure].map { Array($0) } == kept)
        precondition(summary?.suffices(for: [.body]) == (kept != nil))
    }
}

private func check(_ answer: [UInt8], _ read: (inout IMAPStructureGrammar) throws -> Void) {
    var text = IMAPStructureGrammar(answer, isRev2: false)
    do { try read(&text) } catch { preconditionFailure("\(error)") }
    precondition(text.isAtEnd, "an answer goes on behind its end")
}

/// Checks a record with a correct checksum after the mark.
private func checkStateRecord(_ bytes: [UInt8]) {
    let body = Array(bytes.prefix(StateRecord.size - 12))
    let padded = body + [UInt8](repeating: 0, count: StateRecord.size - 12 - body.count)
    let sum = padded.withUnsafeBytes { cposix_crc32c(0, $0.baseAddress, $0.count) }
    let right = Array("RMINDEX1".utf8) + withUnsafeBytes(of: sum.littleEndian) { Array($0) } + padded
    _ = StateRecord(bytes)
    guard let record = StateRecord(right), let written = record.bytes else { return }
    precondition(StateRecord(written) == record, "a record changes when it is written")
}

// MARK: compression

/// Returns all decompressed bytes, and whether the stream was found broken.
private func inflated(_ bytes: [UInt8], step: Int, limit: Int) -> (bytes: [UInt8], isBroken: Bool) {
    var output: [UInt8] = []
    do throws(CompressionError) {
        var inflater = try Inflater()
        var buffer = ByteBuffer()
        for start in stride(from: 0, to: bytes.count, by: step) {
            buffer.writeBytes(bytes[start..<min(start + step, bytes.count)])
            while buffer.readableBytes > 0 || inflater.holdsMore {
                let before = buffer.readableBytes
                let hadMore = inflater.holdsMore
                let piece = try inflater.next(from: &buffer, limit: limit)
                precondition(piece.readableBytes <= limit, "a piece is larger than the limit")
                precondition(
                    piece.readableBytes > 0 || buffer.readableBytes < before || hadMore && !inflater.holdsMore,
                    "a stream is read for ever")
                output += piece.readableBytesView
            }
        }
    } catch {
        return (output, true)
    }
    return (output, false)
}

private func checkInflater(_ bytes: [UInt8], step: Int) {
    let whole = inflated(bytes, step: max(bytes.count, 1), limit: 16_384)
    let pieces = inflated(bytes, step: step, limit: 97)
    precondition(whole.isBroken == pieces.isBroken, "the pieces that a stream comes in change its meaning")
    // The bytes unpacked from a broken stream before the error is found depend on the pieces.
    precondition(whole.isBroken || whole.bytes == pieces.bytes, "the pieces that a stream comes in change its bytes")
}

/// Checks that decompression restores the input, flushed at any point the bytes choose.
private func checkDeflater(_ bytes: [UInt8], step: Int) {
    do throws(CompressionError) {
        let deflater = try Deflater()
        var wire = ByteBuffer()
        for start in stride(from: 0, to: bytes.count, by: step) {
            let piece = ByteBuffer(bytes: bytes[start..<min(start + step, bytes.count)])
            try deflater.compress(piece, flush: bytes[start] & 1 == 0, into: &wire)
        }
        try deflater.compress(ByteBuffer(), flush: true, into: &wire)
        let back = inflated(Array(wire.readableBytesView), step: step, limit: 97)
        precondition(!back.isBroken && back.bytes == bytes, "what was compressed comes out otherwise")
    } catch {
        preconditionFailure("\(error)")
    }
}

// MARK: LIST

/// Matches the second line, a name, against the first, a pattern.
private func checkPattern(_ bytes: [UInt8]) {
    let lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
    guard lines.count == 2, bytes.count <= 40, let pattern = String(validating: lines[0], as: UTF8.self),
        let name = String(validating: lines[1], as: UTF8.self)
    else { return }
    let cut = pattern.utf8.count / 2
    let reference = String(decoding: pattern.utf8.prefix(cut), as: UTF8.self)
    guard String(validating: pattern.utf8.prefix(cut), as: UTF8.self) != nil else { return }
    let found = ListPattern(reference: reference, String(decoding: pattern.utf8.dropFirst(cut), as: UTF8.self))
    let isINBOX = name.utf8.starts(with: "INBOX".utf8) && [nil, 0x2F].contains(name.utf8.dropFirst(5).first)
    let composed = Array(MailboxName.composed(pattern).utf8)
    precondition(
        found.matches(name) == naive(composed[...], lines[1], isINBOX ? lines[1].startIndex + 5 : 0),
        "a pattern matches otherwise than it should")
    _ = try? found.matchingAncestors(of: name)
}

/// A literal implementation of RFC 9051 section 6.3.9; letters before `folded` match in any case.
private func naive(_ pattern: ArraySlice<UInt8>, _ name: ArraySlice<UInt8>, _ folded: Int) -> Bool {
    guard let first = pattern.first else { return name.isEmpty }
    if first == UInt8(ascii: "*") || first == UInt8(ascii: "%") {
        var rest = pattern.dropFirst()
        // Several together count as one.
        while rest.first == first { rest = rest.dropFirst() }
        for end in name.startIndex...name.endIndex {
            if end > name.startIndex, first == UInt8(ascii: "%"), name[end - 1] == 0x2F { return false }
            if naive(rest, name[end...], folded) { return true }
        }
        return false
    }
    guard let byte = name.first else { return false }
    let isLetter = (0x41...0x5A).contains(byte) && name.startIndex < folded
    guard byte == first || isLetter && byte | 0x20 == first else { return false }
    return naive(pattern.dropFirst(), name.dropFirst(), folded)
}

// MARK: the header of incoming mail

/// Checks that the header inspector only adds its fields, however the message is split.
private func checkInspector(_ bytes: [UInt8], step: Int) {
    func stored(step: Int, _ additions: SMTPHeaderInspector.Additions?) -> (bytes: [UInt8], from: [[UInt8]])? {
        var inspector = SMTPHeaderInspector(maxSize: 2_000, maxReceived: 3, additions: additions)
        var output: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: step) {
            let piece = ByteBuffer(bytes: bytes[start..<min(start + step, bytes.count)])
            guard let part = try? inspector.process(piece) else { return nil }
            output += part.readableBytesView
        }
        output += inspector.finish().readableBytesView
        return (output, inspector.fromValues)
    }
    for additions in [nil, SMTPHeaderInspector.Additions(date: "today", messageID: "<a@b>")] {
        let whole = stored(step: max(bytes.count, 1), additions)
        let pieces = stored(step: step, additions)
        precondition(whole?.bytes == pieces?.bytes && whole?.from == pieces?.from, "pieces change a message")
        for value in whole?.from ?? [] { _ = SMTPFromField.addresses(in: value) }
    }
    _ = SMTPFromField.addresses(in: bytes)
}
