import MIME
import MailDelivery
import NIOCore
import Primitives
import SMTPCodec

/// The trace fields prepended to an accepted message (RFC 5321 section 4.4).
struct SMTPTrace {
    var envelope: SMTPEnvelope
    var hostname: String
    var isExtended: Bool
    var isTLS: Bool
    var stamp: SMTPMessageStamp

    /// Returns `Return-Path` and `Received`, folded, each line ending in CRLF.
    func fields() -> ByteBuffer {
        var text = "Return-Path: \(envelope.sender)\r\n"
        text += "Received: from \(Self.token(envelope.clientName)) (\(addressLiteral))\r\n"
        text += "\tby \(Self.token(hostname)) with \(transmission) id \(Self.token(stamp.id))"
        // Named only if all recipients share their destinations, so that it reveals no recipient to another.
        if let recipient = envelope.recipients.first,
            envelope.recipients.allSatisfy({ $0.destinations == recipient.destinations })
        {
            text += "\r\n\tfor \(recipient.path)"
        }
        text += ";\r\n\t\(stamp.date)\r\n"
        return ByteBuffer(string: text)
    }

    /// The `with` value (RFC 3848; for SMTPUTF8, RFC 6531 section 4.3).
    private var transmission: String {
        guard isExtended else { return "SMTP" }
        let suffix = (isTLS ? "S" : "") + (envelope.user != nil ? "A" : "")
        return (envelope.parameters.smtpUTF8 ? "UTF8SMTP" : "ESMTP") + suffix
    }

    private var addressLiteral: String {
        let address = Self.token(envelope.remoteAddress)
        return address.contains(":") ? "[IPv6:\(address)]" : "[\(address)]"
    }

    /// Makes client-supplied text safe for the field: at most 255 octets, with `?` for other characters.
    private static func token(_ text: String) -> String {
        let kept = text.utf8.prefix(255).map { byte -> UInt8 in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"),
                UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"):
                return byte
            default:
                return UInt8(ascii: "?")
            }
        }
        return kept.isEmpty ? "unknown" : String(decoding: kept, as: UTF8.self)
    }
}

extension SMTPMessageStamp {
    /// Makes the stamp for a message that begins now.
    static func now() -> SMTPMessageStamp {
        let seconds = Clocks.wall()
        let random = UInt64.random(in: .min ... .max)
        return SMTPMessageStamp(
            id: String(seconds, radix: 36) + "z" + String(random, radix: 36),
            date: HeaderDate(seconds: seconds).formatted)
    }
}
