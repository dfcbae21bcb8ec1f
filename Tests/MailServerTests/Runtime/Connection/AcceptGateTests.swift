import Glibc
import NIOCore
import NIOPosix
import Primitives
import Testing

@testable import ServerRuntime

/// A listener stops while descriptors are short, and goes on by itself.
@Suite(.timeLimit(.minutes(5))) struct AcceptGateTests {
    private static let group = MultiThreadedEventLoopGroup.singleton

    /// Counts the times that the listener is told to read.
    private final class ReadCounter: ChannelOutboundHandler {
        typealias OutboundIn = any Channel
        let count: Locked<Int>

        init(_ count: Locked<Int>) { self.count = count }

        func read(context: ChannelHandlerContext) {
            count.withLock { $0 += 1 }
            context.read()
        }
    }

    private func listen(_ reserve: DescriptorReserve, _ reads: Locked<Int> = Locked(0)) async throws -> any Channel {
        try await ServerBootstrap(group: Self.group)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([ReadCounter(reads), AcceptGate(reserve)])
                }
            }
            .childChannelInitializer { channel in
                var line = ByteBuffer()
                line.writeString("hello\r\n")
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ConnectionRefusalHandler(line))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    /// Connects and waits until the server has accepted, and ended, the connection.
    private func visit(_ address: SocketAddress) async throws {
        let client = try await ClientBootstrap(group: Self.group).connect(to: address).get()
        try await client.closeFuture.get()
    }

    @Test func waitsWhileTheReserveWouldBeUsed() async throws {
        let open = Locked(1)
        let reports = Locked(0)
        let reserve = DescriptorReserve(
            limit: 100, count: { open.withLock { $0 } },
            onShortage: { _ in
                reports.withLock { $0 += 1 }
                open.withLock { $0 = 1 }
            })
        let server = try await listen(reserve)
        let address = try #require(server.localAddress)
        try await visit(address)
        // Those that are accepted by now find that it is short; the report frees descriptors, and the last is accepted.
        open.withLock { $0 = 90 }
        while reports.withLock({ $0 }) == 0 { try await visit(address) }
        try await visit(address)
        try await server.close()
    }

    /// After a failed accept(2) the listener is not polled until the pause is over.
    @Test func failedAcceptsAreWaitedOut() async throws {
        let reads = Locked(0)
        let server = try await listen(DescriptorReserve(limit: 0), reads)
        let address = try #require(server.localAddress)
        try await visit(address)
        let before = reads.withLock { $0 }
        for _ in 0..<10 {
            server.pipeline.fireErrorCaught(IOError(errnoCode: EMFILE, reason: "accept"))
        }
        #expect(try await server.getOption(.autoRead).get() == false)
        try await visit(address)
        #expect(try await server.getOption(.autoRead).get())
        #expect(reads.withLock { $0 } <= before + 4)
        // Other errors are not its business.
        server.pipeline.fireErrorCaught(IOError(errnoCode: ECONNABORTED, reason: "accept"))
        #expect(try await server.getOption(.autoRead).get())
        try await server.close()
    }
}
