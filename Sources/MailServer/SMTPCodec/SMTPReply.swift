public import NIOCore
import Primitives

/// An enhanced mail system status code, `class.subject.detail` (RFC 3463, RFC 2034).
public struct SMTPEnhancedStatus: Hashable, Sendable, CustomStringConvertible {
    public var statusClass: UInt8
    public var subject: UInt16
    public var detail: UInt16

    /// Makes a status; the class is 2, 4 or 5 and equals the reply code's first digit.
    public init(_ statusClass: UInt8, _ subject: UInt16, _ detail: UInt16) {
        self.statusClass = statusClass
        self.subject = subject
        self.detail = detail
    }

    public var description: String { "\(statusClass).\(subject).\(detail)" }
}

/// A server reply: a code, an optional enhanced status and one or more lines of text (RFC 5321 section 4.2).
public struct SMTPReply: Hashable, Sendable {
    /// The maximum text per line in octets, so that a reply line stays within 512 octets (RFC 5321 section 4.5.3.1.5).
    public static let maxTextLength = 480

    /// The three-digit code, 200 to 599.
    public var code: UInt16
    /// Repeated on every line; nil for greetings, EHLO replies and 3xx replies.
    public var status: SMTPEnhancedStatus?
    /// The text, one element per line; an empty array is sent as one empty line.
    public var lines: [String]

    public init(_ code: UInt16, _ status: SMTPEnhancedStatus? = nil, lines: [String]) {
        self.code = code
        self.status = status
        self.lines = lines
    }

    public init(_ code: UInt16, _ status: SMTPEnhancedStatus? = nil, _ text: String) {
        self.init(code, status, lines: [text])
    }

    /// Appends the wire form to `buffer`.
    ///
    /// Control characters in the text become `?`, so that no text can end a line or start another reply. Text beyond
    /// ``maxTextLength`` octets is cut at a character boundary.
    public func encode(into buffer: inout ByteBuffer) {
        let last = max(lines.count - 1, 0)
        for index in 0...last {
            buffer.writeString(String(code))
            buffer.writeInteger(index == last ? UInt8(ascii: " ") : UInt8(ascii: "-"))
            if let status {
                buffer.writeString(status.description)
                buffer.writeInteger(UInt8(ascii: " "))
            }
            if index < lines.count { Self.writeText(lines[index], into: &buffer) }
            buffer.writeStaticString("\r\n")
        }
    }

    private static func writeText(_ text: String, into buffer: inout ByteBuffer) {
        var safe = String.UnicodeScalarView()
        var length = 0
        for scalar in text.unicodeScalars {
            let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
            let kept: Unicode.Scalar = isControl ? "?" : scalar
            length += UTF8.width(kept)
            guard length <= maxTextLength else { break }
            safe.append(kept)
        }
        buffer.writeString(String(safe))
    }
}

extension SMTPReply {
    /// Makes the 334 reply that requests a response in an authentication exchange; `challenge` is sent as base64.
    public static func authChallenge(_ challenge: [UInt8]) -> SMTPReply {
        SMTPReply(334, nil, Base64.text(challenge))
    }
}
