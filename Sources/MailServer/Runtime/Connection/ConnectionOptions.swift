package import NIOCore

/// The socket options of connections in both directions.
package enum ConnectionOptions {
    /// Sets them; called on the channel's event loop, before it reads anything.
    package static func set(on channel: any Channel) throws {
        guard let options = channel.syncOptions else { return }
        try options.setOption(.tcpOption(.tcp_nodelay), value: 1)
        // The kernel begins with 16 KiB, which makes a large answer many writes and wake-ups.
        try options.setOption(.socketOption(.so_sndbuf), value: 131_072)
        try options.setOption(.allowRemoteHalfClosure, value: true)
        try options.setOption(.autoRead, value: false)
        try options.setOption(.recvAllocator, value: ReceiveAllocator())
        try options.setOption(.maxMessagesPerRead, value: 1)
    }
}
