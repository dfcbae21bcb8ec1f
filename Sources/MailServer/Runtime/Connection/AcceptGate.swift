import Glibc
package import NIOCore

/// Stops a listener while descriptors are short, and after a failed accept(2): the connection that could not be accepted
/// keeps the listener readable, and trying again at once would take a whole core.
package final class AcceptGate: ChannelInboundHandler {
    package typealias InboundIn = any Channel
    package typealias InboundOut = any Channel

    /// The time after which a listener tries again.
    package static let pause = TimeAmount.milliseconds(500)

    private let reserve: DescriptorReserve
    private var isPaused = false

    package init(_ reserve: DescriptorReserve) { self.reserve = reserve }

    package func channelReadComplete(context: ChannelHandlerContext) {
        if reserve.isShort { pause(context, nil) }
        context.fireChannelReadComplete()
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let failure = error as? IOError, Self.isShortage(failure.errnoCode) else {
            return context.fireErrorCaught(error)
        }
        pause(context, "\(failure)")
    }

    private static func isShortage(_ error: CInt) -> Bool { [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(error) }

    private func pause(_ context: ChannelHandlerContext, _ reason: String?) {
        guard !isPaused, context.channel.isActive else { return }
        isPaused = true
        // With this option off, the listener is not polled at all.
        try? context.channel.syncOptions?.setOption(.autoRead, value: false)
        reserve.reportPause(reason)
        scheduleEnd(context)
    }

    private func scheduleEnd(_ context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: Self.pause) {
            let (gate, context) = bound.value
            guard context.channel.isActive else { return }
            if gate.reserve.isShort { return gate.scheduleEnd(context) }
            gate.isPaused = false
            try? context.channel.syncOptions?.setOption(.autoRead, value: true)
        }
    }
}
