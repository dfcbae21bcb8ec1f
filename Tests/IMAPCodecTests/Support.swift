import NIOCore
import Testing

@testable import IMAPCodec

/// Parses one command line, without its tag and line end.
func parse(_ text: String, acceptsUTF8: Bool = false) -> Result<IMAPCommand, IMAPRejection.Reason> {
    parse(Array(text.utf8), acceptsUTF8: acceptsUTF8)
}

func parse(_ bytes: [UInt8], acceptsUTF8: Bool = false) -> Result<IMAPCommand, IMAPRejection.Reason> {
    IMAPCommandParser.parse(Array("a ".utf8) + bytes, acceptsUTF8: acceptsUTF8).map(\.command).mapError(\.reason)
}

extension IMAPRejection.Reason: Error {}

/// A row of a command table.
struct CommandRow: Sendable, CustomTestStringConvertible {
    let text: String
    let command: IMAPCommand
    var testDescription: String { text }

    init(_ text: String, _ command: IMAPCommand) {
        self.text = text
        self.command = command
    }
}

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

func set(_ ranges: IMAPSequenceRange...) -> IMAPSequenceSet { .ranges(ranges) }

/// A shorthand for a range.
func r(_ first: UInt32, _ last: UInt32? = nil) -> IMAPSequenceRange { IMAPSequenceRange(first, last ?? first) }

let star = IMAPSequenceRange.star

func encoded(_ response: IMAPResponse, utf8: Bool = false) -> String {
    var buffer = ByteBuffer()
    IMAPResponseEncoder(utf8: utf8).encode(response, into: &buffer)
    return String(buffer: buffer)
}
