import Crypto
import Primitives

@testable import MailAccounts

/// Feeds the lines as a client's messages to every mechanism, then runs `checkSCRAM`.
func checkSASL(_ bytes: [UInt8]) {
    let lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false).map { Array($0) }
    for mechanism in SASLMechanism.allCases {
        for form in [SASLServer.Credentials.octets, .text] {
            var server = SASLServer(mechanism, credentials: form, nonce: "xyz")
            var step = server.begin(nil)
            for line in lines {
                if case .lookUp = step {
                    step = server.found(credentials)
                    guard case .challenge = step else { preconditionFailure("credentials end an exchange") }
                }
                guard case .challenge = step else {
                    precondition(isFailure(server.receive(line)), "a message behind the end counts")
                    break
                }
                step = server.receive(line)
            }
            if case .decide(let attempt) = step { check(attempt, by: mechanism, form, lines) }
        }
    }
    checkSCRAM(bytes)
}

/// Checks that a login is decided only on data sent by the client.
private func check(
    _ attempt: LoginAttempt, by mechanism: SASLMechanism, _ form: SASLServer.Credentials, _ lines: [[UInt8]]
) {
    switch attempt {
    case .password(let user, let password):
        let sent = Array(user.utf8)
        switch mechanism {
        case .plain:
            precondition(
                lines[0] == [0] + sent + [0] + password || lines[0] == sent + [0] + sent + [0] + password,
                "PLAIN has another name or password than the client")
        case .login: precondition(lines[0] == sent && lines[1] == password, "LOGIN has other credentials")
        case .scramSHA256: preconditionFailure("SCRAM has a password")
        }
        guard form == .text else { return }
        precondition(!user.isEmpty, "a name is missing")
        precondition(!password.contains(0) && String(validating: password, as: UTF8.self) != nil, "that is no text")
    case .proof(_, let isRight):
        precondition(mechanism == .scramSHA256, "only SCRAM has proofs")
        precondition(!isRight, "a proof was found by chance")
    }
}

private func isFailure(_ step: SASLServer.Step) -> Bool { if case .failed = step { true } else { false } }

/// Uses the first line as the client's first message and the rest in its last one: unchanged, and as extensions between
/// nonce and proof, with a correct proof.
private func checkSCRAM(_ bytes: [UInt8]) {
    let first = Array(bytes.prefix { $0 != 0x0A })
    let rest = Array(bytes.dropFirst(first.count + 1))
    var server = SASLServer(.scramSHA256, credentials: .text, nonce: "xyz")
    guard case .lookUp(let user) = server.begin(first) else { return }
    precondition(!user.isEmpty && !user.utf8.contains(0), "a login without a name")
    guard case .challenge(let challenge) = server.found(credentials) else { preconditionFailure("no challenge") }
    var given = server
    precondition(!isAccepted(given.receive(rest), of: &given, user), "a proof out of nothing")
    let header = first.split(separator: 0x2C, maxSplits: 2, omittingEmptySubsequences: false).prefix(2)
    let bare = first.dropFirst(header.reduce(2) { $0 + $1.count })
    let binding = Base64.text(Array(header[0]) + [0x2C] + Array(header[1]) + [0x2C])
    let nonce = challenge.prefix { $0 != 0x2C }
    for extensions in [[], [0x2C] + rest] {
        let message = Array("c=\(binding),".utf8) + nonce + extensions
        let text = Array(bare) + [0x2C] + challenge + [0x2C] + message
        let signature = HMAC<SHA256>.authenticationCode(for: text, using: SymmetricKey(data: credentials.storedKey))
        var proof = zip(clientKey, signature).map { $0 ^ $1 }
        func answer() -> [UInt8] { message + Array(",p=\(Base64.text(proof))".utf8) }
        let isText = !answer().contains(0) && String(validating: answer(), as: UTF8.self) != nil
        var right = server
        let isGood = isAccepted(right.receive(answer()), of: &right, user)
        precondition(isGood == (isText && answer().count <= 4_096), "a right proof counts for nothing")
        proof[Int(bytes[0]) % proof.count] ^= 1
        var wrong = server
        precondition(!isAccepted(wrong.receive(answer()), of: &wrong, user), "a wrong proof is enough")
    }
}

/// Whether the server proves itself and then takes the login as proven.
private func isAccepted(_ step: SASLServer.Step, of server: inout SASLServer, _ user: String) -> Bool {
    guard case .challenge(let proof) = step else {
        precondition(isFailure(step) || step == .decide(.proof(user: user, isRight: false)), "a login without a proof")
        return false
    }
    precondition(proof.starts(with: Array("v=".utf8)), "the server proves nothing")
    precondition(server.receive([]) == .decide(.proof(user: user, isRight: true)), "another login than was begun")
    return true
}

/// A stand-in for a password's hash.
private let salted = [UInt8](repeating: 7, count: SCRAMCredentials.keyLength)

private let credentials: SCRAMCredentials = {
    let hash = PasswordHash(hash: salted, salt: [1, 2, 3], iterations: 4_096)
    guard let made = SCRAMCredentials(hash) else { preconditionFailure("the hash is too short") }
    return made
}()

private let clientKey = Array(
    HMAC<SHA256>.authenticationCode(for: Array("Client Key".utf8), using: SymmetricKey(data: salted)))
