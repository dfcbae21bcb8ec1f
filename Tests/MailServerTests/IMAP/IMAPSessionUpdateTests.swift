import NIOCore
import Primitives
import ShardFS
import Testing

@testable import MailAccess
@testable import MailAccounts
@testable import MailIMAP
@testable import ServerRuntime

/// Updates of very many messages: in pieces, as fast as the client reads, interleaved with other sessions of the event
/// loop.
@Suite struct IMAPSessionUpdateTests {
    private static let count = 1_500
    private static let piece = 2_048

    /// A session with many pending changes: every third message is gone, the others are flagged, one arrived.
    private static func behind(vanished: Bool) async throws -> (IMAPTestMail, IMAPDialogue) {
        let mail = try IMAPTestMail()
        let mailbox = try mail.mailbox()
        let staged = try (1...count).map { number in
            let message = try mailbox.stage()
            try message.write(Array("Subject: \(number)\r\n\r\nx\r\n".utf8))
            return (message: try message.finish(), flags: MessageFlags())
        }
        _ = try mailbox.append(staged)
        let dialogue = await IMAPDialogue.alice(mail) { $0.outputPiece = piece }
        if vanished { await dialogue.ok("ENABLE QRESYNC") }
        _ = try mailbox.changeFlags((1...count).map { UID(UInt32($0)) }, .add(.flagged))
        _ = try mailbox.remove((1...count).filter { $0 % 3 == 0 }.map { UID(UInt32($0)) })
        try mail.append("Subject: one more\n\nx\n")
        return (mail, dialogue)
    }

    private static func check(_ lines: [String], vanished: Bool) {
        let went = lines.filter { $0.hasSuffix(" EXPUNGE") }
        let gone = lines.filter { $0.hasPrefix("* VANISHED ") }
        let flags = lines.filter { $0.contains(" FETCH (") }
        #expect(went.count == (vanished ? 0 : count / 3) && (gone.count > 1) == vanished)
        if !vanished { #expect(went.first == "* \(count) EXPUNGE" && went.last == "* 3 EXPUNGE") }
        #expect(flags.count == count - count / 3)
        #expect(flags.last?.hasPrefix("* \(count - count / 3) FETCH (") == true, "\(flags.last ?? "")")
        #expect(lines.contains("* \(count - count / 3 + 1) EXISTS"))
    }

    @Test(arguments: [false, true]) func aClientThatDoesNotRead(vanished: Bool) async throws {
        let (mail, dialogue) = try await Self.behind(vanished: vanished)
        let output = dialogue.output
        let (largest, all) = (Locked(0), Locked(0))
        output.onPiece { size in
            largest.withLock { $0 = max($0, size) }
            all.withLock { $0 += size }
        }
        output.hold()
        let (eventLoop, longest) = (dialogue.eventLoop, vanished ? 8_900 : 100)
        let free = Task.detached {
            while !output.isAwaited { try await Task.sleep(for: .milliseconds(1)) }
            // One piece is pending, and no thread waits for it: the loop and the pool are free for others.
            #expect(all.withLock { $0 } <= Self.piece + longest)
            try await eventLoop.submit {}.get()
            let other = await IMAPDialogue.alice(mail)
            #expect(await other.ok("STORE 1 +FLAGS.SILENT (\\Seen)").isEmpty)
            #expect(all.withLock { $0 } <= Self.piece + longest)
            output.release()
        }
        let lines = await dialogue.ok("NOOP")
        try await free.value
        Self.check(lines, vanished: vanished)
        #expect(largest.withLock { $0 } <= Self.piece + longest)
        #expect(!(await dialogue.ok("NOOP")).isEmpty, "what came meanwhile is told next")
    }

    /// Other sessions of the event loop get a turn between any two pieces, however fast the client reads.
    @Test(arguments: [false, true]) func othersHaveTurns(vanished: Bool) async throws {
        let (_, dialogue) = try await Self.behind(vanished: vanished)
        let turns = Locked((turns: 0, isOver: false))
        let eventLoop = dialogue.eventLoop
        @Sendable func turn() {
            let isOver = turns.withLock { turns in
                turns.turns += 1
                return turns.isOver
            }
            if !isOver { eventLoop.execute { turn() } }
        }
        eventLoop.execute { turn() }
        let atPieces = Locked([Int]())
        dialogue.output.onPiece { _ in
            atPieces.withLock { $0.append(turns.withLock { $0.turns }) }
        }
        let lines = await dialogue.ok("NOOP")
        turns.withLock { $0.isOver = true }
        Self.check(lines, vanished: vanished)
        let found = atPieces.withLock { $0 }
        #expect(found.count > (vanished ? 5 : 20))
        // A piece finished before its session has released the loop comes without a turn.
        let between = zip(found, found.dropFirst()).count { $0 < $1 }
        #expect(between > found.count / 2, "\(found)")
    }
}
