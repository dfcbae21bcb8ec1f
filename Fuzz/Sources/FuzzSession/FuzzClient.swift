import IMAPCodec
import NIOCore

@testable import MailIMAP
@testable import Primitives

/// A session without a socket, logged in and with INBOX selected, and its client's interpretation of the responses.
final class FuzzClient {
    private let session: IMAPSession
    private var decoder: IMAPFrameDecoder
    private let output = FuzzOutput()
    private var reader = FuzzAnswers()
    private var isClosed = false

    init(_ store: FuzzStore, _ loop: any EventLoop) async {
        var configuration = IMAPSessionConfiguration(hostname: "mail.example.com", offersTLS: false)
        configuration.maxBadCommands = 1_000
        session = IMAPSession(
            configuration: configuration, remoteAddress: "192.0.2.1", isTLS: false, backend: store.backend,
            pool: FuzzStore.pool, output: output, eventLoop: loop, now: { 1_700_000_000 })
        decoder = IMAPFrameDecoder(options: configuration.decoderOptions(authenticated: false))
        await give(.start)
        await send(Array("l LOGIN a b\r\ns SELECT INBOX\r\n".utf8))
    }

    func send(_ bytes: [UInt8]) async {
        decoder.append(ByteBuffer(bytes: bytes))
        while !isClosed, let event = decoder.next() { await give(.event(event)) }
    }

    /// Wakes the session the way the driver does when something may have changed.
    func wake() async {
        await give(.wake)
        await give(.poll)
    }

    func leave() async { await give(.disconnected) }

    private func give(_ input: IMAPSessionInput) async {
        guard !isClosed else { return }
        switch await session.handle(input) {
        case .proceed: break
        case .resolve(let resolution, let options):
            if let options { decoder.options = options }
            let fits = decoder.resolve(resolution)
            precondition(fits, "the session ends another pause than the decoder's")
        case .startTLS: decoder.resolve(.discardBuffered)
        case .compress: decoder.resolve(.resume)
        case .close: isClosed = true
        }
        reader.take(output.take())
    }
}

final class FuzzOutput: IMAPOutput {
    private let bytes = Locked<[UInt8]>([])

    var isOpen: Bool { true }

    func send(_ piece: ByteBuffer) async -> Bool {
        bytes.withLock { $0 += piece.readableBytesView }
        return true
    }

    func post(_ piece: ByteBuffer) { bytes.withLock { $0 += piece.readableBytesView } }

    func take() -> [UInt8] {
        bytes.withLock { bytes in
            defer { bytes = [] }
            return bytes
        }
    }
}

/// Reads responses as far as a client must to keep count of the messages.
struct FuzzAnswers {
    private var exists: UInt32 = 0

    mutating func take(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty { takeAnswer(&rest) }
    }

    /// Takes one response: lines, and the literals between them.
    private mutating func takeAnswer(_ rest: inout ArraySlice<UInt8>) {
        var head: [UInt8] = []
        while true {
            guard let end = rest.firstIndex(of: 0x0A) else { preconditionFailure("an answer has no end") }
            let line = rest[..<end]
            precondition(line.last == 0x0D && !line.dropLast().contains(0x0D), "a line does not end as it should")
            precondition(!line.contains(0), "a line holds a NUL")
            rest = rest[(end + 1)...]
            if head.isEmpty { head = Array(line.dropLast()) }
            guard let size = Self.literal(line.dropLast()) else { break }
            precondition(size <= rest.count, "a literal is shorter than it says")
            rest = rest.dropFirst(size)
        }
        count(String(decoding: head, as: UTF8.self).split(separator: " ", maxSplits: 3).map { String($0) })
    }

    /// The size of the literal announced at the end of a line.
    private static func literal(_ line: ArraySlice<UInt8>) -> Int? {
        guard line.last == UInt8(ascii: "}"), let open = line.lastIndex(of: UInt8(ascii: "{")) else { return nil }
        // A response that quotes the client may look like one; this happens only in the text of status lines.
        return Int(String(decoding: line[(open + 1)...].dropLast(), as: UTF8.self))
    }

    private mutating func count(_ words: [String]) {
        precondition(words.count >= 2 || words == ["+"], "an answer of one word: \(words)")
        guard words.count >= 3, words[0] == "*", let number = UInt32(words[1]) else { return }
        switch words[2] {
        case "EXISTS": exists = number
        case "EXPUNGE":
            precondition(number >= 1 && number <= exists, "message \(number) of \(exists) is expunged")
            exists -= 1
        case "FETCH", "UIDFETCH":
            precondition(number >= 1 && (number <= exists || words[2] == "UIDFETCH"), "message \(number) of \(exists)")
        default: break
        }
    }
}
