import NIOCore
import SMTPCodec
import ShardFS

@testable import MailAccounts
@testable import MailDelivery
@testable import MailSMTP
@testable import ServerRuntime

/// A session with a decoder and a small mail host in memory, entirely synchronous: text in, text out.
///
/// Users of example.com: alice (password `secret`), bob, and carol (disabled), dave (over quota).
struct SMTPDialogue {
    struct Stored: Equatable {
        var envelope: SMTPEnvelope
        var content: String
    }

    var session: SMTPSession
    var decoder = SMTPFrameDecoder()
    var stored: [Stored] = []
    var openMessage: ByteBuffer?
    var isClosed = false
    var tlsStarts = 0
    /// The failure of the next storing step, by step.
    var beginFailure: Refusal?
    var appendFailure: Refusal?
    var commitFailure: Refusal?
    var authentication: LoginOutcome?
    var isTLSUnavailable = false
    /// The maximum octets per piece of input.
    var step = Int.max

    init(
        role: SMTPRole = .mx, offersTLS: Bool = false, isTLS: Bool = false,
        _ change: (inout SMTPSessionConfiguration) -> Void = { _ in }
    ) {
        var configuration = SMTPSessionConfiguration(hostname: "mail.example.com", offersTLS: offersTLS)
        change(&configuration)
        session = SMTPSession(configuration: configuration, role: role, remoteAddress: "192.0.2.7", isTLS: isTLS)
    }

    /// Sends `text` and returns all replies to it.
    mutating func send(_ text: String) -> String {
        var output = ""
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            decoder.append(ByteBuffer(bytes: rest.prefix(step)))
            rest = rest.dropFirst(step)
            while !isClosed, let event = decoder.next() { perform(session.handle(event), into: &output) }
        }
        return output
    }

    /// Sends lines, each with CRLF, and returns the reply codes with their statuses.
    mutating func codes(_ lines: String...) -> [String] {
        Self.codes(in: send(lines.map { $0 + "\r\n" }.joined()))
    }

    mutating func perform(_ actions: [SMTPSessionAction]) -> String {
        var output = ""
        perform(actions, into: &output)
        return output
    }

    /// Returns `250 2.1.0` for `250 2.1.0 OK`, taken from the last line of each reply.
    static func codes(in output: String) -> [String] {
        output.split(separator: "\r\n").compactMap { line in
            let words = line.split(separator: " ", maxSplits: 2)
            guard let code = words.first, code.count == 3 else { return nil }
            guard words.count > 1, words[1].split(separator: ".").count == 3, words[1].first?.isNumber == true,
                words[1].allSatisfy({ $0.isNumber || $0 == "." })
            else { return String(code) }
            return "\(code) \(words[1])"
        }
    }

    private mutating func perform(_ actions: [SMTPSessionAction], into output: inout String) {
        for action in actions {
            guard !isClosed else { return }
            if let completion = run(action, into: &output) { perform(session.complete(completion), into: &output) }
        }
    }

    private mutating func run(_ action: SMTPSessionAction, into output: inout String) -> SMTPSessionCompletion? {
        switch action {
        case .reply(let reply):
            var buffer = ByteBuffer()
            reply.encode(into: &buffer)
            output += String(buffer: buffer)
        case .directive(let directive): decoder.apply(directive)
        case .startTLS: tlsStarts += 1
        case .discardMessage: openMessage = nil
        case .close: isClosed = true
        case .prepareTLS:
            guard !isTLSUnavailable else { return .tlsPrepared(.unavailable) }
            return .tlsPrepared(decoder.bufferedBytes == 0 ? .ready : .plaintextBehind)
        case .authenticate(let attempt):
            return .authenticated(authentication ?? TestLogins(password: "secret").outcome(of: attempt))
        case .findSCRAMCredentials(let user):
            return .scramCredentials(SCRAMTestUsers.credentials(of: user, password: "secret"))
        case .beginTransaction(let envelope): return .transactionBegun(Self.refusal(of: envelope))
        case .checkRecipient(let path, _): return .recipient(Self.destinations(of: path))
        case .beginMessage:
            if let beginFailure { return .messageBegun(.failure(beginFailure)) }
            openMessage = ByteBuffer()
            return .messageBegun(.success(.init(id: "id1", date: "Sat, 21 Nov 2026 02:00:00 +0000")))
        case .append(let bytes):
            openMessage?.writeImmutableBuffer(bytes)
            return .appended(appendFailure)
        case .commit(let envelope):
            let content = openMessage.map { String(buffer: $0) }
            openMessage = nil
            guard commitFailure == nil, let content else {
                return .committed(envelope.recipients.map { _ in .refused(commitFailure ?? .cannotStore) })
            }
            stored.append(Stored(envelope: envelope, content: content))
            return .committed(envelope.recipients.map { _ in .delivered })
        }
        return nil
    }

    static func refusal(of envelope: SMTPEnvelope) -> Refusal? {
        guard case .refused(let refusal) = OwnSenderCheck.decision(envelope) else { return nil }
        return refusal
    }

    static func destinations(of path: SMTPForwardPath) -> Result<[Destination], Refusal> {
        guard case .address(let address) = path else { return .success([inbox("postmaster")]) }
        guard address.domain == "example.com" else { return .failure(.relayNotPermitted) }
        switch address.accountName {
        case "alice", "bob": return .success([inbox(address.accountName)])
        case "carol": return .failure(Refusal(550, subject: 2, detail: 1, "Closed"))
        case "dave": return .failure(.mailboxFull)
        case "later": return .failure(.cannotCheckRecipient)
        case "often": return .failure(.tooManyRecipients)
        default: return .failure(.unknownUser)
        }
    }

    static func inbox(_ user: String) -> Destination { .local(DeliveryFixture.address(user), .inbox, []) }
}

extension SMTPDialogue {
    static let plainLogin = "AUTH PLAIN AGFsaWNlQGV4YW1wbGUuY29tAHNlY3JldA=="

    /// A session on the submission port in which alice has logged in.
    static func loggedIn(_ change: (inout SMTPSessionConfiguration) -> Void = { _ in }) -> SMTPDialogue {
        var dialogue = SMTPDialogue(role: .submission, offersTLS: true, isTLS: true, change)
        _ = dialogue.codes("EHLO client", plainLogin)
        return dialogue
    }
}
