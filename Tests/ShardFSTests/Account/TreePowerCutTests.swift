import Glibc
import TestSupport
import Testing

@testable import ShardFS

/// The power fails at every point of a change to the tree: whatever unsynced data the disk kept, the tree is the old
/// one or the new one, and no message is lost.
@Suite struct TreePowerCutTests {
    enum Change: String, CaseIterable, Sendable, CustomTestStringConvertible {
        case delete, deleteAboveOthers, deleteLevel, rename, create
        var testDescription: String { rawValue }

        func run(_ account: Account) throws {
            switch self {
            case .delete: try account.delete(MailboxName("A/x"))
            case .deleteAboveOthers: try account.delete(MailboxName("A"))
            case .deleteLevel: try account.delete(MailboxName("L"))
            case .rename: try account.rename(MailboxName("A"), to: MailboxName("B/C"))
            case .create: try account.create(MailboxName("L"))
            }
        }

        static let before = ["INBOX=i", "A=a,b", "A/x=c", "L"]

        var after: [String] {
            switch self {
            case .delete: ["INBOX=i", "A=a,b", "L"]
            case .deleteAboveOthers: ["INBOX=i", "A", "A/x=c", "L"]
            case .deleteLevel: ["INBOX=i", "A=a,b", "A/x=c"]
            case .rename: ["INBOX=i", "B=", "B/C=a,b", "B/C/x=c", "L"]
            case .create: ["INBOX=i", "A=a,b", "A/x=c", "L="]
            }
        }

        /// Messages that are only in `.deleted/` afterwards.
        var deleted: Int { self == .delete ? 1 : self == .deleteAboveOthers ? 2 : 0 }
    }

    @Test(arguments: Change.allCases) func everyCut(_ change: Change) throws {
        var options = StoreOptions()
        options.bootID = "boot-1"
        let t = try TreeScratch(options)
        try t.fill([("INBOX", ["i"]), ("A", ["a", "b"]), ("A/x", ["c"]), ("L/m", [])])
        try t.account.delete(MailboxName("L"))
        try t.account.delete(MailboxName("L/m"))
        for name in try t.names(".deleted") { removeTree(try "\(t.directory)/.deleted/\(name)") }
        let recorder = CallRecorder()
        try t.reopen { $0.hook = recorder }
        #expect(try t.tree() == Change.before)
        let image = recorder.start(t.path)
        try change.run(t.account)
        recorder.mark(1)
        recorder.stop()

        var disk = CutDisk(image)
        var random = SeededGenerator(seed: SeededGenerator.testSeed)
        var seen: Set<Int> = []
        var returned = false
        for event in recorder.events {
            if case .mark = event { returned = true }
            switch event {
            case .sync, .syncAll, .mark:
                for choice in disk.choices(12, &random) {
                    for loss in [CutDisk.DataLoss.all, .none, .random] {
                        let image = disk.image(choice, loss, &random)
                        var hasher = Hasher()
                        hasher.combine(image.signature)
                        hasher.combine(returned)
                        guard seen.insert(hasher.finalize()).inserted else { continue }
                        try check(image, change, returned, "\(choice.sorted()), data \(loss), before \(event)")
                    }
                }
            default: break
            }
            disk.apply(event)
        }
        #expect(seen.count > 5 && returned)
    }

    private func check(_ image: DiskImage, _ change: Change, _ returned: Bool, _ cut: String) throws {
        var options = StoreOptions()
        options.bootID = "boot-2"
        let t = try TreeScratch(image, options)
        let tree = try t.tree()
        let old = [Change.before, change == .rename ? ["INBOX=i", "A=a,b", "A/x=c", "B=", "L"] : Change.before]
        #expect(tree == change.after || (!returned && old.contains(tree)), "seed \(SeededGenerator.testSeed), \(cut)")
        if change.deleted > 0, tree == change.after {
            let deleted = try t.names(".deleted")
            #expect(deleted.count == 1, "\(cut)")
            #expect(try t.names(".deleted/\(deleted.first ?? "")/0000").count == change.deleted, "\(cut)")
        }
        try t.checkWhole()
    }
}
