import Glibc
import Testing

@testable import ShardFS

@Suite struct RecoveryTwinTests {
    /// A second file with a used UID gets a UID that was never seen, though the log with the UIDs is lost.
    @Test func twinGetsAFreshUID() throws {
        var options = StoreOptions()
        options.bootID = "boot-1"
        let t = try TestStore(options)
        let inbox = try t.mailbox()
        for n in 1...5 { try inbox.append("message \(n)") }
        _ = try inbox.remove([UID(4), UID(5)])
        _ = try inbox.purgeExpunged(before: "9999999999")
        let directory = try t.directory()
        let fd = open("\(directory)/0000/00000002_F.eml", O_WRONLY | O_CREAT, 0o600)
        _ = write(fd, "twin", 4)
        close(fd)
        // The log was never synced.
        truncate("\(directory)/\(LogFile.fileName)", off_t(LogHeader.size))
        try t.reopen { $0.bootID = "boot-2" }
        let messages = try t.mailbox().snapshot().messages
        #expect(messages.count == 4)
        let twin = try #require(messages.last)
        #expect(try t.mailbox().text(twin.uid) == "twin")
        #expect(twin.uid.rawValue > 5, "UIDs up to 5 were shown")
    }
}
