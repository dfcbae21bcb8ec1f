import IMAPCodec
import NIOCore

// The body of the fuzz target, run on each input. The codec's tests run it too, on the seed corpus.

/// Returns the events of a client's bytes, split into pieces of one size, for a session that accepts or refuses all it
/// can.
///
/// Adjacent chunks of a message are joined, since their boundaries carry no meaning.
func imapEvents(
    of bytes: [UInt8], pieceSize: Int = .max, accepting: Bool = true, options: IMAPDecoderOptions = .init()
) -> [IMAPInboundEvent] {
    var decoder = IMAPFrameDecoder(options: options)
    var events: [IMAPInboundEvent] = []
    var authenticationLines = 0
    var index = 0
    while index < bytes.count {
        let count = min(pieceSize, bytes.count - index)
        decoder.append(ByteBuffer(bytes: bytes[index..<index + count]))
        index += count
        while let event = decoder.next() {
            if case .appendChunk(var chunk) = event, case .appendChunk(var before)? = events.last {
                before.writeBuffer(&chunk)
                events[events.count - 1] = .appendChunk(before)
            } else {
                events.append(event)
            }
            if case .command(let command) = event, command.command.pause == .authenticate { authenticationLines = 0 }
            switch decoder.pause {
            case nil: break
            case .authenticate? where accepting && authenticationLines < 2:
                authenticationLines += 1
                decoder.resolve(.continueAuthentication)
            case .enable?:
                decoder.options.acceptsUTF8 = accepting
                decoder.resolve(.resume)
            case .idle?: decoder.resolve(accepting ? .beginIdle : .resume)
            case .appendLiteral?: decoder.resolve(accepting ? .acceptLiteral : .refuseLiteral)
            default: decoder.resolve(.resume)
            }
        }
        precondition(decoder.pause == nil, "a resolution did not end its pause")
        precondition(
            decoder.bufferedByteCount <= options.maximumLineLength + options.maximumLiteralBytes + 128,
            "more is buffered than the limits allow")
    }
    return events
}

/// Limits narrow enough for small inputs to reach.
let tightIMAPOptions = IMAPDecoderOptions(
    maximumLineLength: 64, maximumLiteralBytes: 24, maximumAppendSize: 100, maximumDiscard: 200,
    maximumNonSynchronisingLiteral: 60)

/// Runs an input with wide and with tight limits, for an accepting and for a refusing session.
func fuzzIMAP(_ bytes: [UInt8]) {
    for options in [IMAPDecoderOptions(), tightIMAPOptions] {
        fuzzIMAP(bytes, accepting: true, options: options)
        fuzzIMAP(bytes, accepting: false, options: options)
    }
}

/// Decodes in one piece and byte by byte; any difference is a bug, and so is a response of more than one line.
func fuzzIMAP(_ bytes: [UInt8], accepting: Bool, options: IMAPDecoderOptions) {
    let whole = imapEvents(of: bytes, accepting: accepting, options: options)
    let single = imapEvents(of: bytes, pieceSize: 1, accepting: accepting, options: options)
    precondition(whole == single, "the pieces that bytes come in change their meaning")
    for case .reject(let rejection) in whole {
        var answer = ByteBuffer()
        IMAPResponseEncoder().encode(rejection.response, into: &answer)
        let view = answer.readableBytesView
        precondition(view.firstIndex(of: UInt8(ascii: "\n")) == view.endIndex - 1, "an answer breaks its line")
    }
}
