/// The rule for offering and accepting AUTH (RFC 4954 section 4).
extension SMTPSession {
    /// True while credentials would be sent in clear although TLS is configured: AUTH is then omitted from the EHLO
    /// reply and refused. Without TLS configured, it is offered in clear.
    var isAuthHidden: Bool { offersSTARTTLS }
}
