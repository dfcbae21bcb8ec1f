package import NIOSSL

/// Gives the TLS context of the moment; asked for each handshake.
package typealias TLSProvider = @Sendable () throws -> NIOSSLContext

/// Makes the handler of TLS for one connection, of either side.
package typealias TLSHandlerProvider = @Sendable () throws -> NIOSSLHandler
