import NIOCore
import NIOEmbedded
import Testing

@testable import ServerConfiguration
@testable import ServerRuntime

/// The life of a connection, with a driver controlled by the test.
@Suite struct ConnectionHandlerTests {
    private final class Driver: ConnectionDriver {
        var received = ""
        var notices: [ConnectionNotice] = []
        var ends = 0
        var onAdvance: (ConnectionHandler) -> Void = { _ in }
        let idleTimeout = TimeAmount.hours(1)
        var loginDeadline: NIODeadline?

        func take(_ bytes: ByteBuffer) { received += String(buffer: bytes) }
        func note(_ notice: ConnectionNotice, on connection: ConnectionHandler) { notices.append(notice) }
        func advance(on connection: ConnectionHandler) { onAdvance(connection) }

        func end(then: @escaping @Sendable () -> Void) {
            ends += 1
            then()
        }
    }

    /// Counts the handler's requests to its channel. A channel in memory has no halves: half-closes are only counted.
    private final class ReadCounter: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        var count = 0
        var halfCloses = 0
        /// Whether writes wait, as for a client that does not read.
        var holdsWrites = false
        private var held: (context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?)?

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            guard holdsWrites else { return context.write(data, promise: promise) }
            held = (context, data, promise)
        }

        func release() {
            guard let (context, data, promise) = held else { return }
            held = nil
            context.writeAndFlush(data, promise: promise)
        }

        func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
            guard mode == .output else { return context.close(mode: mode, promise: promise) }
            halfCloses += 1
            promise?.succeed()
        }

        func read(context: ChannelHandlerContext) {
            count += 1
            context.read()
        }
    }

    private let driver = Driver()
    private let reads = ReadCounter()
    private let channel = EmbeddedChannel()
    private let handler: ConnectionHandler

    init() throws {
        driver.loginDeadline = channel.embeddedEventLoop.now + .seconds(180)
        handler = ConnectionHandler(
            eventLoop: channel.embeddedEventLoop, driver: driver, tls: nil, closeTimeout: .seconds(2), onFinish: {})
        try channel.pipeline.syncOperations.addHandlers([reads, handler])
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    }

    private func receive(_ text: String) throws { try channel.writeInbound(ByteBuffer(string: text)) }

    private func written() throws -> String? {
        try channel.readOutbound(as: ByteBuffer.self).map { String(buffer: $0) }
    }

    @Test func nothingIsReadWhileSomethingIsUnderWay() throws {
        #expect(driver.notices == [.start])
        #expect(reads.count == 1)
        driver.onAdvance = { $0.beginWork() }
        try receive("a")
        #expect(!handler.isFree && handler.isOpen)
        #expect(reads.count == 1)
        driver.onAdvance = { _ in }
        handler.endWork()
        handler.advance()
        #expect(driver.received == "a" && reads.count == 2)
        _ = try channel.finish()
    }

    @Test func nothingIsReadWhileTheClientTakesNothing() throws {
        channel.isWritable = false
        try receive("a")
        #expect(reads.count == 1)
        channel.isWritable = true
        channel.pipeline.fireChannelWritabilityChanged()
        #expect(reads.count == 2)
        _ = try channel.finish()
    }

    @Test func theEndWaitsForWhatIsUnderWay() throws {
        handler.beginWork()
        _ = try channel.finish()
        #expect(driver.ends == 0)
        handler.endWork()
        handler.advance()
        handler.advance()
        #expect(driver.ends == 1)
    }

    @Test func aDriverIsNotCalledFromWithinItself() throws {
        var depth = 0
        driver.onAdvance = { connection in
            depth += 1
            #expect(depth == 1)
            connection.advance()
            depth -= 1
        }
        try receive("a")
        _ = try channel.finish()
    }

    /// Input after the last response is read and dropped until the client closes or its time is over.
    @Test func aDrainingCloseGivesTime() throws {
        handler.close(draining: true, last: ByteBuffer(string: "bye"))
        #expect(try written() == "bye")
        try receive("more")
        #expect(driver.received.isEmpty && reads.count == 2)
        #expect(channel.isActive && reads.halfCloses == 1)
        channel.embeddedEventLoop.advanceTime(by: .seconds(2))
        #expect(!channel.isActive && driver.ends == 1)
    }

    /// A client that has sent everything and closes its half still gets the pending responses.
    @Test(arguments: [false, true]) func whatIsOnItsWayOutArrives(draining: Bool) throws {
        reads.holdsWrites = true
        handler.close(draining: draining, last: ByteBuffer(string: "bye"))
        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(channel.isActive)
        #expect(try written() == nil)
        reads.release()
        #expect(try written() == "bye")
        #expect(!channel.isActive && driver.ends == 1)
    }

    @Test(arguments: [false, true]) func othersCloseAtOnce(isInputClosed: Bool) throws {
        if isInputClosed { channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed) }
        handler.close(draining: isInputClosed, last: ByteBuffer(string: "bye"))
        #expect(try written() == "bye")
        #expect(!channel.isActive && driver.ends == 1)
    }

    /// A client that keeps talking has no more time to log in than one that is silent.
    @Test func talkingDoesNotPutOffTheDeadlineOfALogin() throws {
        let loop = channel.embeddedEventLoop
        for _ in 1...179 {
            loop.advanceTime(by: .seconds(1))
            try receive("noop")
        }
        #expect(driver.notices == [.start])
        loop.advanceTime(by: .seconds(1))
        #expect(driver.notices == [.start, .timeOut])
        _ = try channel.finish()
    }

    @Test func aLoginInTimeEndsTheDeadline() throws {
        let loop = channel.embeddedEventLoop
        loop.advanceTime(by: .seconds(170))
        driver.loginDeadline = nil
        try receive("login")
        loop.advanceTime(by: .minutes(59))
        #expect(driver.notices == [.start])
        _ = try channel.finish()
    }

    /// A password that is being checked at the deadline is checked to the end.
    @Test func whatIsUnderWayAtTheDeadlineEndsFirst() throws {
        let loop = channel.embeddedEventLoop
        loop.advanceTime(by: .seconds(179))
        handler.beginWork()
        loop.advanceTime(by: .seconds(5))
        #expect(driver.notices == [.start])
        handler.endWork()
        handler.advance()
        loop.advanceTime(by: .seconds(1))
        #expect(driver.notices == [.start, .timeOut])
        _ = try channel.finish()
    }

    @Test func anAccountThatMayNoLongerBeUsedIsReported() throws {
        channel.pipeline.fireUserInboundEventTriggered(ConnectionRevocation())
        #expect(driver.notices == [.start, .revoked])
        handler.close(draining: true, last: ByteBuffer(string: "bye"))
        channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        // It has its time to take the last response.
        #expect(channel.isActive)
        _ = try channel.finish()
    }

    /// A session that is busy, for example with a client that does not read, is cut off.
    @Test func aBusySessionWhoseAccountIsGoneIsCutOff() throws {
        handler.beginWork()
        channel.pipeline.fireUserInboundEventTriggered(ConnectionRevocation())
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(!channel.isActive)
        handler.endWork()
        handler.advance()
        #expect(driver.ends == 1)
    }

    @Test func stopIsReported() throws {
        channel.pipeline.fireUserInboundEventTriggered(ConnectionStopEvent())
        #expect(driver.notices == [.start, .stop])
        handler.close(draining: true)
        channel.pipeline.fireUserInboundEventTriggered(ConnectionStopEvent())
        #expect(driver.notices == [.start, .stop])
    }
}
