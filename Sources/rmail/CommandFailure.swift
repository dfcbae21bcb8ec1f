import MailAccounts
import MailServer
import ServerConfiguration
import ServerRuntime

/// The failure of a command: one plain sentence and an exit status.
struct CommandFailure: Error, CustomStringConvertible {
    static let failed: Int32 = 1
    static let usage: Int32 = 64
    static let configuration: Int32 = 78

    let description: String
    let status: Int32

    init(_ description: String, status: Int32 = failed) {
        self.description = description
        self.status = status
    }

    init(_ error: ConfigurationError) { self.init(error.description, status: Self.configuration) }

    init(_ error: StartError) {
        self.init(error.description, status: error.isConfiguration ? Self.configuration : Self.failed)
    }

    init(_ error: AccountError) {
        let usage: Set<AccountError.Code> = [.invalidAddress, .invalidPassword]
        self.init(error.description, status: usage.contains(error.code) ? Self.usage : Self.failed)
    }
}
