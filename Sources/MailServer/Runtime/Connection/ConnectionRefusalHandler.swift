package import NIOCore

/// Sends one line to a refused client and closes the connection.
package final class ConnectionRefusalHandler: ChannelInboundHandler {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    private let line: ByteBuffer

    package init(_ line: ByteBuffer) { self.line = line }

    package func channelActive(context: ChannelHandlerContext) {
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(line)).whenComplete { _ in bound.value.close(promise: nil) }
    }
}
