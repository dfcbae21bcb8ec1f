import SMTPCodec

/// The first line of the dialogue (RFC 5321 section 3.1).
extension SMTPSession {
    /// Sends the greeting.
    func start() -> [SMTPSessionAction] {
        [.reply(.greeting(configuration.hostname))]
    }
}
