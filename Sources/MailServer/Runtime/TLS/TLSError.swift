/// Why no TLS context could be made: one plain sentence that says what to do.
package struct TLSError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: Sendable {
        /// A file that is not there or may not be read.
        case unreadable
        /// A file that is not what it must be.
        case malformed
        /// The key is not the certificate's.
        case mismatch
        /// The files of the self-signed certificate could not be written.
        case unwritable
    }

    package let code: Code
    package let description: String

    package init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}
