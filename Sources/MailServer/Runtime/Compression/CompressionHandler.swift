package import NIOCore

/// DEFLATE in both directions of a connection (RFC 4978), on top of TLS or the socket.
///
/// Every flush ends in a sync flush, so that no answer stays in the compressor. Input is decompressed one piece at a
/// time, when the next handler asks to read: a few bytes that expand to a gigabyte cost one piece of memory, and wait
/// while that handler is busy.
package final class CompressionHandler: ChannelDuplexHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer
    package typealias OutboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    /// The maximum number of bytes decompressed at a time.
    package static let piece = 16_384

    private let deflater: Deflater
    private var inflater: Inflater
    /// Compressed input, normally no more than one socket read.
    private var received = ByteBuffer()
    /// The next handler has asked for bytes.
    private var isWanted = false
    private var isScheduled = false
    private var isDone = false
    /// The client has closed its side; reported once all input is decompressed.
    private var isInputClosed = false
    /// Compressed output, not yet written.
    private var ready = ByteBuffer()
    private var needsFlush = false
    private var promise: EventLoopPromise<Void>?

    package init() throws(CompressionError) {
        deflater = try Deflater()
        inflater = try Inflater()
    }

    /// Takes the bytes that the client sent after its command, before this handler was in place.
    package func take(_ early: ByteBuffer) { received.writeImmutableBuffer(early) }

    private var hasMore: Bool { received.readableBytes > 0 || inflater.holdsMore }

    // MARK: In

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isDone else { return }
        let bytes = unwrapInboundIn(data)
        if received.readableBytes == 0 {
            received = bytes
        } else {
            received.discardReadBytes()
            received.writeImmutableBuffer(bytes)
        }
    }

    package func channelReadComplete(context: ChannelHandlerContext) { deliver(context) }

    package func read(context: ChannelHandlerContext) {
        isWanted = true
        guard hasMore else { return context.read() }
        // Deferred, because the caller may be in the middle of an operation.
        guard !isScheduled else { return }
        isScheduled = true
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.execute {
            let (handler, context) = bound.value
            handler.isScheduled = false
            handler.deliver(context)
        }
    }

    private func deliver(_ context: ChannelHandlerContext) {
        guard isWanted, !isDone else { return }
        isWanted = false
        let piece: ByteBuffer
        do {
            piece = try inflater.next(from: &received, limit: Self.piece)
        } catch {
            isDone = true
            received = ByteBuffer()
            return context.fireErrorCaught(error)
        }
        if received.readableBytes == 0 { received = ByteBuffer() }
        if piece.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(piece)) }
        context.fireChannelReadComplete()
        reportEnd(context)
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event as? ChannelEvent == .inputClosed else { return context.fireUserInboundEventTriggered(event) }
        isInputClosed = true
        reportEnd(context)
    }

    private func reportEnd(_ context: ChannelHandlerContext) {
        guard isInputClosed, !hasMore else { return }
        isInputClosed = false
        context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
    }

    // MARK: Out

    package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let bytes = unwrapOutboundIn(data)
        if let first = self.promise {
            first.futureResult.cascade(to: promise)
        } else {
            self.promise = promise
        }
        guard bytes.readableBytes > 0 else { return }
        needsFlush = true
        compress(bytes, flush: false, context)
    }

    package func flush(context: ChannelHandlerContext) {
        if needsFlush { compress(ByteBuffer(), flush: true, context) }
        needsFlush = false
        let (bytes, promise) = (ready, promise)
        ready = ByteBuffer()
        self.promise = nil
        if bytes.readableBytes > 0 || promise != nil { context.write(wrapOutboundOut(bytes), promise: promise) }
        context.flush()
    }

    private func compress(_ bytes: ByteBuffer, flush: Bool, _ context: ChannelHandlerContext) {
        do {
            try deflater.compress(bytes, flush: flush, into: &ready)
        } catch {
            context.fireErrorCaught(error)
        }
    }

    // MARK: The end

    package func channelInactive(context: ChannelHandlerContext) {
        finish()
        context.fireChannelInactive()
    }

    package func handlerRemoved(context: ChannelHandlerContext) { finish() }

    private func finish() {
        isDone = true
        let promise = promise
        self.promise = nil
        promise?.fail(ChannelError.ioOnClosedChannel)
    }
}
