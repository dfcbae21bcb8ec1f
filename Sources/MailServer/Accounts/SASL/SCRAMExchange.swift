import Crypto
import Primitives

/// The server's side of one SCRAM-SHA-256 login, without channel binding: messages in, messages out. RFC 5802, RFC 7677.
///
/// `first` names the user, whose credentials the caller finds for `challenge`; `last` judges the proof.
package struct SCRAMExchange: Sendable {
    /// RFC 5802 gives no bound; no program's messages come near this one.
    private static let longestMessage = 4_096

    /// `n,a=authzid,`, which the client repeats at the end.
    private var header: [UInt8] = []
    private var clientFirstBare: [UInt8] = []
    private var nonce: [UInt8] = []
    private var serverFirst: [UInt8] = []
    private var credentials: SCRAMCredentials?

    /// A server's half of the nonce: 18 random bytes.
    package static func randomNonce() -> String { Base64.text(SecureRandom.bytes(18)) }

    /// Reads the client's first message.
    /// - Parameter serverNonce: random for every exchange; printable ASCII without a comma.
    /// - Returns: The name to log in.
    package mutating func first(_ message: [UInt8], serverNonce: String) throws(SASLFailure) -> String {
        let fields = try Self.fields(message)
        guard fields.count >= 4 else { throw Self.malformed }
        if fields[0].starts(with: "p=".utf8) {
            throw SASLFailure(kind: .unsupported, text: "Channel binding is not offered")
        }
        if fields[2].starts(with: "m=".utf8) { throw SASLFailure(kind: .unsupported, text: "Unknown extension") }
        guard fields[0].elementsEqual("n".utf8) || fields[0].elementsEqual("y".utf8),
            let user = Self.value("n=", fields[2]).flatMap(Self.unescaped),
            let clientNonce = Self.value("r=", fields[3]), clientNonce.allSatisfy({ (0x21...0x7E).contains($0) })
        else { throw Self.malformed }
        if !fields[1].isEmpty {
            guard let actor = Self.value("a=", fields[1]).flatMap(Self.unescaped) else { throw Self.malformed }
            guard actor == user else { throw SASLFailure(kind: .authorization, text: "No acting for others") }
        }
        header = Array(message.prefix(fields[0].count + fields[1].count + 2))
        clientFirstBare = Array(message.dropFirst(header.count))
        nonce = clientNonce + serverNonce.utf8
        return String(decoding: user, as: UTF8.self)
    }

    /// The answer to the first message.
    package mutating func challenge(_ credentials: SCRAMCredentials) -> [UInt8] {
        self.credentials = credentials
        let salt = Base64.text(credentials.salt)
        serverFirst = Array("r=".utf8) + nonce + Array(",s=\(salt),i=\(credentials.iterations)".utf8)
        return serverFirst
    }

    /// Judges the client's last message.
    /// - Returns: The answer that proves the server to the client.
    package func last(_ message: [UInt8]) throws(SASLFailure) -> [UInt8] {
        let fields = try Self.fields(message)
        guard let credentials, fields.count >= 3, let binding = Self.value("c=", fields[0]).flatMap(Self.base64),
            let nonce = Self.value("r=", fields[1]), let proofField = fields.last,
            let proof = Self.value("p=", proofField).flatMap(Self.base64), proof.count == SCRAMCredentials.keyLength
        else { throw Self.malformed }
        // The header must be the one of the first message: else somebody on the way has changed it.
        guard binding == header, nonce == self.nonce else {
            throw SASLFailure(kind: .refused, text: "The messages do not belong together")
        }
        let withoutProof = message.dropLast(proofField.count + 1)
        let text = clientFirstBare + [UInt8(ascii: ",")] + serverFirst + [UInt8(ascii: ",")] + withoutProof
        func sign(_ key: [UInt8]) -> [UInt8] {
            Array(HMAC<SHA256>.authenticationCode(for: text, using: SymmetricKey(data: key)))
        }
        let clientKey = zip(proof, sign(credentials.storedKey)).map { $0 ^ $1 }
        guard PasswordHash.equalInConstantTime(Array(SHA256.hash(data: clientKey)), credentials.storedKey) else {
            throw SASLFailure(kind: .refused, text: "Wrong name or password")
        }
        return Array("v=\(Base64.text(sign(credentials.serverKey)))".utf8)
    }

    // MARK: Pieces

    private static let malformed = SASLFailure(kind: .malformed, text: "That is no SCRAM message")

    private static func fields(_ message: [UInt8]) throws(SASLFailure) -> [ArraySlice<UInt8>] {
        guard message.count <= longestMessage, !message.contains(0),
            String(validating: message, as: UTF8.self) != nil
        else { throw malformed }
        return message.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
    }

    /// What follows `name=`; nil for another field and for an empty value.
    private static func value(_ name: StaticString, _ field: ArraySlice<UInt8>) -> [UInt8]? {
        let name = name.withUTF8Buffer { Array($0) }
        return field.starts(with: name) && field.count > name.count ? Array(field.dropFirst(name.count)) : nil
    }

    private static func base64(_ text: [UInt8]) -> [UInt8]? {
        text.isEmpty ? nil : Base64.decode(text)
    }

    /// A saslname: `=2C` is a comma and `=3D` an equals sign, which may not stand for themselves.
    private static func unescaped(_ text: [UInt8]) -> [UInt8]? {
        var bytes: [UInt8] = []
        var rest = text[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "=") else {
                bytes.append(byte)
                continue
            }
            switch Array(rest.prefix(2)) {
            case Array("2C".utf8): bytes.append(UInt8(ascii: ","))
            case Array("3D".utf8): bytes.append(UInt8(ascii: "="))
            default: return nil
            }
            rest = rest.dropFirst(2)
        }
        return bytes
    }
}
