import ArgumentParser
import MailAccounts
import MailServer
import ShardFS

/// The source of a new password: standard input, a generator, or a prompt.
struct PasswordOptions: ParsableArguments {
    @Flag(name: .customLong("password-stdin"), help: "Read the password from the first line of standard input.")
    var fromInput = false

    @Flag(help: "Generate a password and print it.")
    var generate = false

    @Option(help: .hidden)
    var iterations = PasswordHash.defaultIterations

    func validate() throws {
        guard !(fromInput && generate) else {
            throw ValidationError("--password-stdin and --generate cannot be used together.")
        }
        guard (1...PasswordHash.maximumIterations).contains(iterations) else {
            throw ValidationError("--iterations must be a number from 1 to \(PasswordHash.maximumIterations).")
        }
    }

    /// The octets of the new password, as they were typed.
    func obtain(for address: AccountAddress) throws -> [UInt8] {
        if generate { return Array(SecureRandom.password().utf8) }
        if fromInput { return try Terminal.readPasswordLine() }
        guard Terminal.inputIsTerminal else {
            throw CommandFailure(
                "there is no terminal to ask for a password; use --password-stdin or --generate",
                status: CommandFailure.usage)
        }
        return try Terminal.askForNewPassword(address.description)
    }

    /// Prints a generated password; it cannot be recovered later.
    func tell(_ password: [UInt8]) {
        if generate { Terminal.say("password: \(String(decoding: password, as: UTF8.self))") }
    }
}
