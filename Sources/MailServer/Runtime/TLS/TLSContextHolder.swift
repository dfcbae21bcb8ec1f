import NIOConcurrencyHelpers
public import NIOSSL

/// Gives the TLS context of the moment; asked for each handshake.
typealias TLSProvider = @Sendable () throws -> NIOSSLContext

/// Makes the handler of TLS for one connection, of either side.
typealias TLSHandlerProvider = @Sendable () throws -> NIOSSLHandler

/// The TLS context that new connections take. A reload swaps it; connections that are open keep the old one.
public final class TLSContextHolder: Sendable {
    private let box: NIOLockedValueBox<NIOSSLContext>

    public init(_ context: NIOSSLContext) { box = NIOLockedValueBox(context) }

    public var current: NIOSSLContext { box.withLockedValue { $0 } }

    public func replace(_ context: NIOSSLContext) { box.withLockedValue { $0 = context } }

    /// For servers.
    var provider: TLSProvider { { [self] in current } }
}
