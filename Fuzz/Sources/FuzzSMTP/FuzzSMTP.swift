import NIOCore
import SMTPCodec

/// The libFuzzer entry of the SMTP codec: the first byte chooses how the bytes are split and how commands are answered,
/// the rest is sent by the client. Events must not depend on the split.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSMTP(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = UnsafeBufferPointer(start: start, count: count)
    guard let choice = input.first else { return 0 }
    let wire = Array(input.dropFirst())
    let grants = choice & 1 == 0
    let whole = events(wire, step: .max, grants: grants)
    let pieces = events(wire, step: Int(choice >> 1) % 16 + 1, grants: grants)
    precondition(whole == pieces, "events depend on the split")
    _ = try? SMTPCommandParser.parse(wire)
    return 0
}

private func events(_ wire: [UInt8], step: Int, grants: Bool) -> [SMTPFrameDecoder.Event] {
    var decoder = SMTPFrameDecoder()
    var events: [SMTPFrameDecoder.Event] = []
    var rest = wire[...]
    while !rest.isEmpty {
        decoder.append(ByteBuffer(bytes: rest.prefix(step)))
        rest = rest.dropFirst(step)
        while let event = decoder.next() {
            // Content is compared only by the commands around it: its pieces may end anywhere.
            if case .content = event { continue }
            events.append(event)
            switch event {
            case .command(.data) where grants: decoder.apply(.readData)
            case .command(.auth) where grants: decoder.apply(.readAuthResponse)
            default: decoder.apply(.readCommands)
            }
        }
    }
    return events
}
