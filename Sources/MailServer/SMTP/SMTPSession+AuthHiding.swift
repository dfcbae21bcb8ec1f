/// The rule for when AUTH is offered and taken (RFC 4954 section 4).
extension SMTPSession {
    /// True while credentials would travel in clear although TLS is configured: AUTH is then missing from the EHLO
    /// answer and refused. Where no TLS is configured, it is offered in clear.
    var isAuthHidden: Bool { offersSTARTTLS }
}
