/// The reason why TLS cannot be used: one plain sentence for the user.
package struct TLSError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: Sendable {
        /// A missing or unreadable file.
        case unreadable
        /// A file with invalid contents, or a failed key or certificate generation.
        case malformed
        /// A key that does not match the certificate, or a certificate that does not name the server.
        case mismatch
        /// A failure to write the files of the self-signed certificate.
        case unwritable
    }

    package let code: Code
    package let description: String

    package init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}
