import NIOCore
import SMTPCodec

/// Feeds a decoder and answers its directives by a fixed policy, so that a test is one table row.
struct DecoderScript {
    enum Policy {
        /// Every command is granted: DATA is read, an AUTH exchange continues for one line.
        case grant
        case refuse
    }

    var policy = Policy.grant
    var limits = SMTPFrameDecoder.Limits()

    /// The events for `bytes` split into pieces of `step`; adjacent content is joined.
    func events(_ bytes: some Collection<UInt8>, step: Int = .max) -> [SMTPFrameDecoder.Event] {
        var decoder = SMTPFrameDecoder(limits: limits)
        var events: [SMTPFrameDecoder.Event] = []
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            decoder.append(ByteBuffer(bytes: rest.prefix(step)))
            rest = rest.dropFirst(step)
            drain(&decoder, into: &events)
        }
        return Self.normalized(events)
    }

    func events(_ text: String, step: Int = .max) -> [SMTPFrameDecoder.Event] {
        events(text.utf8, step: step)
    }

    private func drain(_ decoder: inout SMTPFrameDecoder, into events: inout [SMTPFrameDecoder.Event]) {
        var authLines = 0
        while let event = decoder.next() {
            events.append(event)
            switch (event, policy) {
            case (.command(.data), .grant): decoder.apply(.readData)
            case (.command(.auth), .grant):
                authLines = 0
                decoder.apply(.readAuthResponse)
            case (.authResponse, .grant) where authLines == 0:
                authLines += 1
                decoder.apply(.readCommands)
            default: decoder.apply(.readCommands)
            }
        }
    }

    static func normalized(_ events: [SMTPFrameDecoder.Event]) -> [SMTPFrameDecoder.Event] {
        var result: [SMTPFrameDecoder.Event] = []
        for event in events {
            if case .content(let piece) = event, case .content(var whole)? = result.last {
                whole.writeImmutableBuffer(piece)
                result[result.count - 1] = .content(whole)
                continue
            }
            result.append(event)
        }
        return result
    }
}

extension SMTPFrameDecoder.Event {
    static func content(_ text: String) -> SMTPFrameDecoder.Event { .content(ByteBuffer(string: text)) }

    var isContent: Bool {
        if case .content = self { true } else { false }
    }
}
