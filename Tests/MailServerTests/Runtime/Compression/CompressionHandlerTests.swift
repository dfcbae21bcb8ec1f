import NIOCore
import NIOEmbedded
import Testing

@testable import ServerConfiguration
@testable import ServerRuntime

@Suite struct CompressionHandlerTests {
    /// Asks for one piece at a time, like the session's handler, and collects the input.
    private final class Reader: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        var pieces: [ByteBuffer] = []
        var events: [String] = []
        var reads = 0
        private var context: ChannelHandlerContext?

        func handlerAdded(context: ChannelHandlerContext) { self.context = context }
        func ask() { context?.read() }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) { pieces.append(unwrapInboundIn(data)) }
        func channelReadComplete(context: ChannelHandlerContext) { reads += 1 }
        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) { events.append("\(event)") }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { events.append("\(error)") }
    }

    private let channel = EmbeddedChannel()
    private let reader = Reader()

    init() throws {
        try channel.pipeline.syncOperations.addHandlers([CompressionHandler(), reader])
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    }

    private func compressed(_ bytes: ByteBuffer) throws -> ByteBuffer {
        var out = ByteBuffer()
        try Deflater().compress(bytes, flush: true, into: &out)
        return out
    }

    private func inflated(_ bytes: ByteBuffer) throws -> ByteBuffer {
        var (bytes, out) = (bytes, ByteBuffer())
        var inflater = try Inflater()
        while bytes.readableBytes > 0 || inflater.holdsMore {
            out.writeImmutableBuffer(try inflater.next(from: &bytes, limit: 1000))
        }
        return out
    }

    @Test(arguments: [0, 1, 4_095, 4_096, 16_384, 1_000_000])
    func everyFlushedAnswerCanBeReadAtOnce(size: Int) throws {
        var random = SystemRandomNumberGenerator()
        var sent = ByteBuffer()
        var wire = ByteBuffer()
        for _ in 0..<3 {
            let answer = ByteBuffer(bytes: (0..<size).map { _ in UInt8.random(in: 0...255, using: &random) })
            sent.writeImmutableBuffer(answer)
            try channel.writeOutbound(answer)
            while var bytes = try channel.readOutbound(as: ByteBuffer.self) { wire.writeBuffer(&bytes) }
            #expect(try inflated(wire) == sent)
        }
    }

    @Test func aPromiseIsKept() throws {
        let first = channel.eventLoop.makePromise(of: Void.self)
        let second = channel.eventLoop.makePromise(of: Void.self)
        channel.write(ByteBuffer(string: "a"), promise: first)
        channel.write(ByteBuffer(), promise: second)
        #expect(try channel.readOutbound(as: ByteBuffer.self) == nil, "nothing is written without a flush")
        channel.flush()
        try first.futureResult.and(second.futureResult).map { _ in }.wait()
        channel.writeAndFlush(ByteBuffer(), promise: nil)
        let third = channel.eventLoop.makePromise(of: Void.self)
        channel.writeAndFlush(ByteBuffer(), promise: third)
        try third.futureResult.wait()
    }

    @Test func whatComesInByteByByte() throws {
        for byte in try compressed(ByteBuffer(string: "a NOOP\r\n")).readableBytesView {
            reader.ask()
            try channel.writeInbound(ByteBuffer(bytes: [byte]))
        }
        #expect(reader.pieces.map { String(buffer: $0) }.joined() == "a NOOP\r\n")
    }

    /// 200 MB of spaces in a few hundred KB: one piece per read.
    @Test func aBombIsTakenApartInPieces() throws {
        var bomb = ByteBuffer()
        let deflater = try Deflater()
        let blanks = ByteBuffer(repeating: 0x20, count: 1 << 20)
        for _ in 0..<200 { try deflater.compress(blanks, flush: false, into: &bomb) }
        try deflater.compress(ByteBuffer(), flush: true, into: &bomb)
        #expect(bomb.readableBytes < 1 << 20)
        try channel.writeInbound(bomb)
        #expect(reader.pieces.isEmpty, "nobody has asked")
        var total = 0
        for count in 1...100 {
            reader.ask()
            channel.embeddedEventLoop.run()
            #expect(reader.reads == count)
            total += reader.pieces.removeFirst().readableBytes
            #expect(reader.pieces.isEmpty && total == count * CompressionHandler.piece)
        }
    }

    @Test func theEndWaitsForWhatIsLeft() throws {
        try channel.writeInbound(compressed(ByteBuffer(repeating: 0x61, count: CompressionHandler.piece + 1)))
        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        reader.ask()
        channel.embeddedEventLoop.run()
        #expect(reader.events.isEmpty && reader.pieces.count == 1)
        reader.ask()
        channel.embeddedEventLoop.run()
        #expect(reader.events == ["inputClosed"] && reader.pieces.count == 2)
    }

    @Test(arguments: [[0xFF, 0xFF, 0xFF], [0x07], Array("b LOGOUT\r\nc LOGOUT\r\n".utf8)] as [[UInt8]])
    func noise(bytes: [UInt8]) throws {
        for _ in 0..<100 {
            reader.ask()
            try channel.writeInbound(ByteBuffer(bytes: bytes))
        }
        #expect(reader.events == ["corrupt"], "told once, and nothing more is taken")
    }

    @Test func nothingFollowsTheEndOfAStream() throws {
        reader.ask()
        // An empty last block.
        try channel.writeInbound(ByteBuffer(bytes: [0x03, 0x00]))
        #expect(reader.events.isEmpty)
        reader.ask()
        try channel.writeInbound(ByteBuffer(bytes: [0x03, 0x00]))
        #expect(reader.events == ["corrupt"])
    }
}
