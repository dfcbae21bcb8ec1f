import MailServer

/// The protocols that the server speaks.
enum Services {
    static func make(_ environment: ServerEnvironment) throws(StartError) -> [any MailService] {
        [SMTPService(environment), IMAPService(environment)]
    }
}
