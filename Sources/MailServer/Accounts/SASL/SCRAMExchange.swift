import Crypto
import Primitives

/// The server's side of a SCRAM-SHA-256 login without channel binding (RFC 5802, RFC 7677): messages in, messages out.
///
/// `first` returns the user name; the caller looks up its credentials for `challenge`; `last` verifies the proof.
package struct SCRAMExchange: Sendable {
    /// Octets. RFC 5802 sets no limit; this is the longest line of RFC 4954 section 4 decoded.
    private static let longestMessage = 12_288 / 4 * 3

    /// The GS2 header (`n,a=authzid,`), which the client repeats in its last message.
    private var header: [UInt8] = []
    private var clientFirstBare: [UInt8] = []
    private var nonce: [UInt8] = []
    private var serverFirst: [UInt8] = []
    private var credentials: SCRAMCredentials?

    /// Makes a server's half of the nonce: 18 random bytes in base64.
    package static func randomNonce() -> String { Base64.text(SecureRandom.bytes(18)) }

    /// Reads the client's first message.
    /// - Parameter serverNonce: random for each exchange; printable ASCII without a comma.
    /// - Returns: The name to log in.
    package mutating func first(_ message: [UInt8], serverNonce: String) throws(SASLFailure) -> String {
        let fields = try Self.fields(message)
        guard fields.count >= 4 else { throw Self.malformed }
        if fields[0].starts(with: "p=".utf8) {
            throw SASLFailure(kind: .unsupported, text: "Channel binding is not supported")
        }
        if fields[2].starts(with: "m=".utf8) { throw SASLFailure(kind: .unsupported, text: "Unknown extension") }
        guard fields[0].elementsEqual("n".utf8) || fields[0].elementsEqual("y".utf8),
            let user = Self.value("n=", fields[2]).flatMap(Self.unescaped),
            let clientNonce = Self.value("r=", fields[3]), clientNonce.allSatisfy({ (0x21...0x7E).contains($0) })
        else { throw Self.malformed }
        if !fields[1].isEmpty {
            guard let actor = Self.value("a=", fields[1]).flatMap(Self.unescaped) else { throw Self.malformed }
            guard actor == user else { throw SASLFailure(kind: .authorization, text: "Cannot act as another user") }
        }
        header = Array(message.prefix(fields[0].count + fields[1].count + 2))
        clientFirstBare = Array(message.dropFirst(header.count))
        nonce = clientNonce + serverNonce.utf8
        return String(decoding: user, as: UTF8.self)
    }

    /// Returns the answer to the first message: nonce, salt and iteration count.
    package mutating func challenge(_ credentials: SCRAMCredentials) -> [UInt8] {
        self.credentials = credentials
        let salt = Base64.text(credentials.salt)
        serverFirst = Array("r=".utf8) + nonce + Array(",s=\(salt),i=\(credentials.iterations)".utf8)
        return serverFirst
    }

    /// Verifies the client's last message.
    /// - Returns: The server's signature, which authenticates the server to the client.
    /// - Throws: `refused` for a wrong proof, `malformed` for anything that cannot be parsed.
    package func last(_ message: [UInt8]) throws(SASLFailure) -> [UInt8] {
        let fields = try Self.fields(message)
        guard let credentials, fields.count >= 3, let binding = Self.value("c=", fields[0]).flatMap(Self.base64),
            let nonce = Self.value("r=", fields[1]), let proofField = fields.last,
            let proof = Self.value("p=", proofField).flatMap(Self.base64), proof.count == SCRAMCredentials.keyLength
        else { throw Self.malformed }
        // A header that differs from the first message was changed in transit.
        guard binding == header, nonce == self.nonce else {
            throw SASLFailure(kind: .refused, text: "The messages do not match")
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

    private static let malformed = SASLFailure(kind: .malformed, text: "Malformed SCRAM message")

    private static func fields(_ message: [UInt8]) throws(SASLFailure) -> [ArraySlice<UInt8>] {
        guard message.count <= longestMessage, !message.contains(0),
            String(validating: message, as: UTF8.self) != nil
        else { throw malformed }
        return message.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
    }

    /// Returns the value after the prefix `name` (such as `n=`), or nil for another field or an empty value.
    private static func value(_ name: StaticString, _ field: ArraySlice<UInt8>) -> [UInt8]? {
        let name = name.withUTF8Buffer { Array($0) }
        return field.starts(with: name) && field.count > name.count ? Array(field.dropFirst(name.count)) : nil
    }

    private static func base64(_ text: [UInt8]) -> [UInt8]? {
        text.isEmpty ? nil : Base64.decode(text)
    }

    /// Decodes a saslname, in which a comma is written `=2C` and an equals sign `=3D`; nil for any other use of `=`.
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
