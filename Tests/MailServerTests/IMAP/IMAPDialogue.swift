import IMAPCodec
import NIOCore
import NIOPosix
import Primitives
import ShardIndex
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

/// A session without a socket: bytes in, lines out.
final class IMAPDialogue {
    /// Keeps the store's directory alive as long as the session.
    private let mail: IMAPTestMail
    let session: IMAPSession
    private var decoder: IMAPFrameDecoder
    let output = CollectedOutput()
    let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
    private let wakes = Locked(0)
    private(set) var isClosed = false
    private var tagCount = 0
    /// Whether the last step asked for TLS.
    private(set) var startedTLS = false

    /// Begins a session and takes the greeting.
    init(
        _ mail: IMAPTestMail, isTLS: Bool = false, offersTLS: Bool = false,
        pool: BlockingPool = IMAPTestMail.pool, _ change: (inout IMAPSessionConfiguration) -> Void = { _ in },
        now: @escaping @Sendable () -> Int64 = { 1_700_000_000 }
    ) async {
        self.mail = mail
        var configuration = IMAPSessionConfiguration(hostname: "mail.example.com", offersTLS: offersTLS)
        change(&configuration)
        session = IMAPSession(
            configuration: configuration, remoteAddress: "192.0.2.1", isTLS: isTLS, backend: mail.backend,
            pool: pool, output: output, eventLoop: eventLoop, now: now)
        decoder = IMAPFrameDecoder(options: configuration.decoderOptions(authenticated: false))
        let wakes = wakes
        await session.setChangeHandler { wakes.withLock { $0 += 1 } }
        await apply(session.handle(.start))
    }

    /// A session of alice's, by default with INBOX selected.
    static func alice(
        _ mail: IMAPTestMail, select mailbox: String? = "INBOX", pool: BlockingPool = IMAPTestMail.pool,
        _ change: (inout IMAPSessionConfiguration) -> Void = { _ in },
        now: @escaping @Sendable () -> Int64 = { 1_700_000_000 }
    ) async -> IMAPDialogue {
        let dialogue = await IMAPDialogue(mail, pool: pool, change, now: now)
        _ = dialogue.take()
        await dialogue.ok("LOGIN alice@example.com \(IMAPTestMail.password)")
        if let mailbox { await dialogue.ok("SELECT \(mailbox)") }
        return dialogue
    }

    /// Takes the lines received since the last call; literals are left unchanged.
    func take() -> [String] { output.take() }

    /// Sends bytes unchanged and returns the response.
    @discardableResult
    func send(_ text: String) async -> [String] {
        mail.index?.flush()
        decoder.append(ByteBuffer(string: text))
        while !isClosed, let event = decoder.next() { await apply(session.handle(.event(event))) }
        return take()
    }

    /// Sends a command with a new tag; returns the untagged lines and the tagged one without its tag.
    func command(_ text: String) async -> (lines: [String], result: String) {
        tagCount += 1
        let tag = "t\(tagCount)"
        var lines = await send("\(tag) \(text)\r\n")
        guard let last = lines.last, last.hasPrefix("\(tag) ") else { return (lines, "") }
        lines.removeLast()
        return (lines, String(last.dropFirst(tag.count + 1)))
    }

    /// Sends a command that must succeed; returns its untagged lines.
    @discardableResult
    func ok(_ text: String, _ location: SourceLocation = #_sourceLocation) async -> [String] {
        let (lines, result) = await command(text)
        #expect(result.hasPrefix("OK "), "\(text): \(result) \(lines)", sourceLocation: location)
        return lines
    }

    /// Sends a command that must fail; returns its tagged response.
    @discardableResult
    func fails(_ text: String, _ location: SourceLocation = #_sourceLocation) async -> String {
        let (lines, result) = await command(text)
        #expect(
            result.hasPrefix("NO ") || result.hasPrefix("BAD "), "\(text): \(result) \(lines)", sourceLocation: location
        )
        return result
    }

    /// Waits until the mailbox of an idling session reports a change, then wakes the session.
    func wake() async throws -> [String] {
        let end = ContinuousClock.now + .seconds(60)
        while wakes.withLock({ $0 }) == 0, ContinuousClock.now < end {
            try await Task.sleep(for: .milliseconds(1))
        }
        #expect(wakes.withLock { $0 } > 0)
        wakes.withLock { $0 = 0 }
        return await give(.wake)
    }

    /// Gives the session an input that no client can send.
    func give(_ input: IMAPSessionInput) async -> [String] {
        await apply(session.handle(input))
        return take()
    }

    private func apply(_ step: IMAPSessionStep) {
        switch step {
        case .proceed: break
        case .resolve(let resolution, let options):
            if let options { decoder.options = options }
            let fits = decoder.resolve(resolution)
            #expect(fits)
        case .startTLS:
            startedTLS = true
            decoder.resolve(.discardBuffered)
        case .compress:
            // The session neither knows nor cares that nothing is compressed here.
            decoder.resolve(.resume)
        case .close: isClosed = true
        }
    }
}

extension [String] {
    /// Replaces a missing line, so that the test fails instead of crashing.
    subscript(line index: Int) -> String { indices.contains(index) ? self[index] : "(no line)" }
}
