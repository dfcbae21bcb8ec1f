package import NIOCore

/// The socket options of incoming and outgoing connections.
package enum ConnectionOptions {
    /// Sets the options. Call it on the channel's event loop before the first read.
    package static func set(on channel: any Channel) throws {
        guard let options = channel.syncOptions else { return }
        try options.setOption(.tcpOption(.tcp_nodelay), value: 1)
        // The kernel starts at 16 KiB, which splits a large answer into many writes and wake-ups.
        try options.setOption(.socketOption(.so_sndbuf), value: 131_072)
        try options.setOption(.allowRemoteHalfClosure, value: true)
        try options.setOption(.autoRead, value: false)
        try options.setOption(.recvAllocator, value: ReceiveAllocator())
        try options.setOption(.maxMessagesPerRead, value: 1)
    }
}
