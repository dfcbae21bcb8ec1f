import Crypto
import Primitives

@testable import MailServer

/// The first line is the client's first message, the rest what stands in its last one: as it is, and as the extensions
/// between nonce and proof, with the proof made right.
func checkSCRAM(_ bytes: [UInt8]) {
    let first = Array(bytes.prefix { $0 != 0x0A })
    let rest = Array(bytes.dropFirst(first.count + 1))
    var exchange = SCRAMExchange()
    guard let user = try? exchange.first(first, serverNonce: "xyz") else { return }
    precondition(!user.isEmpty && !user.utf8.contains(0), "a login without a name")
    precondition((try? exchange.last(rest)) == nil, "a login before the challenge")
    let challenge = exchange.challenge(credentials)
    precondition((try? exchange.last(rest)) == nil, "a proof out of nothing")
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
        let isGood = (try? exchange.last(answer())) != nil
        precondition(isGood == (isText && answer().count <= 4_096), "a right proof counts for nothing")
        proof[Int(bytes[0]) % proof.count] ^= 1
        precondition((try? exchange.last(answer())) == nil, "a wrong proof is enough")
    }
}

/// What a password's hash would be.
private let salted = [UInt8](repeating: 7, count: SCRAMCredentials.keyLength)

private let credentials: SCRAMCredentials = {
    let hash = PasswordHash(hash: salted, salt: [1, 2, 3], iterations: 4_096)
    guard let made = SCRAMCredentials(hash) else { preconditionFailure("the hash is too short") }
    return made
}()

private let clientKey = Array(
    HMAC<SHA256>.authenticationCode(for: Array("Client Key".utf8), using: SymmetricKey(data: salted)))
