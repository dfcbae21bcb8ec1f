import NIOCore
import SMTPCodec

/// The trace fields that stand in front of an accepted message (RFC 5321 section 4.4).
struct SMTPTrace {
    var envelope: SMTPEnvelope
    var hostname: String
    var isExtended: Bool
    var isTLS: Bool
    var stamp: SMTPMessageStamp

    /// `Return-Path` and `Received`, folded, each line with its CRLF.
    func fields() -> ByteBuffer {
        var text = "Return-Path: \(envelope.sender)\r\n"
        text += "Received: from \(Self.token(envelope.clientName)) (\(addressLiteral))\r\n"
        text += "\tby \(Self.token(hostname)) with \(transmission) id \(Self.token(stamp.id))"
        if envelope.recipients.count == 1, let recipient = envelope.recipients.first {
            text += "\r\n\tfor \(recipient.path)"
        }
        text += ";\r\n\t\(stamp.date)\r\n"
        return ByteBuffer(string: text)
    }

    /// The `with` value: RFC 3848, and RFC 6531 section 4.3 for SMTPUTF8.
    private var transmission: String {
        guard isExtended else { return "SMTP" }
        let suffix = (isTLS ? "S" : "") + (envelope.user != nil ? "A" : "")
        return (envelope.parameters.smtpUTF8 ? "UTF8SMTP" : "ESMTP") + suffix
    }

    private var addressLiteral: String {
        let address = Self.token(envelope.remoteAddress)
        return address.contains(":") ? "[IPv6:\(address)]" : "[\(address)]"
    }

    /// What a client says of itself is let into the field as far as it can do no harm there.
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
    /// For a message that begins now.
    static func now() -> SMTPMessageStamp {
        let seconds = Clocks.wall()
        let random = UInt64.random(in: .min ... .max)
        return SMTPMessageStamp(
            id: String(seconds, radix: 36) + "z" + String(random, radix: 36),
            date: SMTPDate.string(secondsSinceEpoch: seconds))
    }
}

/// Dates as mail writes them.
enum SMTPDate {
    private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// The instant `seconds` after the epoch, in UTC, as RFC 5322 section 3.3 has it. Years 1970 to 9999; others are
    /// taken for the nearest of these.
    static func string(secondsSinceEpoch seconds: Int64) -> String {
        let seconds = Int(min(max(seconds, 0), 253_402_300_799))
        let day = seconds / 86400
        let second = seconds % 86400
        // Days are counted from 1 March of year 0, so that the leap day is the last of its year.
        let shifted = day + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let dayOfMonth = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0)
        let time = "\(twoDigits(second / 3600)):\(twoDigits(second / 60 % 60)):\(twoDigits(second % 60))"
        return "\(days[day % 7]), \(dayOfMonth) \(months[month - 1]) \(year) \(time) +0000"
    }

    private static func twoDigits(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
}
