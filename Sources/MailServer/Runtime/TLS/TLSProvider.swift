package import NIOSSL

/// Returns the current TLS context; called for each handshake.
package typealias TLSProvider = @Sendable () throws -> NIOSSLContext

/// Makes the TLS handler for one connection, as client or server.
package typealias TLSHandlerProvider = @Sendable () throws -> NIOSSLHandler
