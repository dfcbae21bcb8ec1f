import DurableFiles
import Glibc
import Primitives
import TestSupport
import Testing

@testable import ShardFS

/// The stores of `contrib/conformance`: a reader of the files and the engine must both match `expected.json`.
@Suite("Conformance stores", .enabled(if: Program.hasPython))
struct ConformanceTests {
    private static let place = Repository.path + "/contrib/conformance"
    private static let account = "domains/example.com/users/alice"

    static let names: [String] = {
        let all = (try? DirectoryListing.names(SystemCalls(), SystemCalls.currentDirectory, place)) ?? []
        return all.filter { access("\(place)/\($0)/store.txt", F_OK) == 0 }.sorted()
    }()

    /// Makes the store `name` in a temporary directory.
    private static func make(_ name: String) throws -> (TemporaryDirectory, root: String) {
        let directory = TemporaryDirectory()
        let (output, status) = Program.run([place + "/make", directory.path, name], withErrors: true)
        try #require(status == 0, "\(output)")
        return (directory, "\(directory.path)/\(name)")
    }

    private static func document(_ path: String) throws -> [Level] {
        let json = try JSONValue.parse(Array(Program.text(path).utf8), name: path)
        return try #require(json.array).map { try Level($0) }
    }

    private static func lsmail(_ root: String) throws -> [Level] {
        let text = try LsmailTests.lsmail("\(root)/\(account)", "--json").joined(separator: "\n")
        return try #require(try JSONValue.parse(Array(text.utf8), name: "lsmail.py").array).map { try Level($0) }
    }

    /// The levels shown by the engine once it has opened every mailbox for writing.
    private static func engine(_ root: String) throws -> [Level] {
        var options = StoreOptions()
        options.bootID = "conformance"
        let store = try Store.open(root, options: options)
        let account = try store.account(AccountAddress(parsing: "alice@example.com"))
        return try account.list().map { listing in
            guard listing.isSelectable else { return Level(name: listing.name.description) }
            let before = epoch(root, listing.name)
            return try Level(account.mailbox(listing.name), named: listing.name, was: before)
        }
    }

    private static func epoch(_ root: String, _ name: MailboxName) -> String? {
        let path = "\(root)/\(account)/\(name.relativePath)/\(MailboxStatus.fileName)"
        let json = try? JSONValue.parse(Array(Program.text(path).utf8), name: path)
        return json?["epoch"]?.string
    }

    @Test func thereAreStores() { #expect(Self.names.count >= 20) }

    @Test func readerPassesTheCheck() {
        let (output, status) = Program.run([Self.place + "/check", LsmailTests.script, "--json"], withErrors: true)
        #expect(status == 0, "\(output)")
    }

    @Test func wrongReaderDoesNotPassTheCheck() {
        #expect(Program.run([Self.place + "/check", "echo", "[]"]).status == 1)
    }

    @Test(arguments: names) func readerSeesWhatIsExpected(_ name: String) throws {
        let (directory, root) = try Self.make(name)
        defer { withExtendedLifetime(directory) {} }
        let expected = try Self.document("\(Self.place)/\(name)/expected.json")
        #expect(!expected.isEmpty)
        let differences = Level.differences(expected, try Self.lsmail(root))
        #expect(differences.isEmpty, "\(differences)")
    }

    @Test(arguments: names) func engineSeesWhatIsExpected(_ name: String) throws {
        let (directory, root) = try Self.make(name)
        defer { withExtendedLifetime(directory) {} }
        let opened = "\(Self.place)/\(name)/opened.json"
        let hasOpened = access(opened, F_OK) == 0
        let expected = try Self.document(hasOpened ? opened : "\(Self.place)/\(name)/expected.json")
        var differences = Level.differences(expected, try Self.engine(root))
        #expect(differences.isEmpty, "\(differences)")
        // A reader of the files also sees the store as a writer has left it.
        differences = Level.differences(try Self.engine(root), try Self.lsmail(root))
        #expect(differences.isEmpty, "\(differences)")
        let errors = try StoreCheck(root: root).run().errors
        #expect(errors.filter { $0.code != .wrongShard && $0.code != .notAFile }.isEmpty, "\(errors)")
    }

    /// Each change to a file makes both readers see something other than expected.
    @Test(arguments: [
        ("plain", "mailboxes/INBOX/0000/00000002_S.eml", "mailboxes/INBOX/0000/00000002_.eml"),
        ("plain", "mailboxes/INBOX/0000/00000004_.eml", "mailboxes/INBOX/0000/00000005_.eml"),
        ("tree", "mailboxes/%30000", "mailboxes/0001"),
        ("damaged-log", "mailboxes/INBOX/status.json", "mailboxes/INBOX/status"),
        ("expunged", "mailboxes/INBOX/.expunged/2023111422", "mailboxes/INBOX/.expunged/2023111421"),
    ])
    func changedStoreIsSeen(_ name: String, _ from: String, _ to: String) throws {
        let (directory, root) = try Self.make(name)
        defer { withExtendedLifetime(directory) {} }
        try #require(rename("\(root)/\(Self.account)/\(from)", "\(root)/\(Self.account)/\(to)") == 0)
        let expected = try Self.document("\(Self.place)/\(name)/expected.json")
        #expect(!Level.differences(expected, try Self.lsmail(root)).isEmpty)
        #expect(!Level.differences(expected, try Self.engine(root)).isEmpty)
    }

    @Test func changedRecordIsSeen() throws {
        let (directory, root) = try Self.make("set")
        defer { withExtendedLifetime(directory) {} }
        let path = "\(root)/\(Self.account)/mailboxes/INBOX/\(LogFile.fileName)"
        let file = open(path, O_WRONLY)
        // The end of the first set: its messages then belong to an unfinished set.
        var byte: UInt8 = 0
        #expect(pwrite(file, &byte, 1, off_t(LogFile.offset(of: 3))) == 1)
        close(file)
        let expected = try Self.document("\(Self.place)/set/expected.json")
        #expect(!Level.differences(expected, try Self.lsmail(root)).isEmpty)
    }
}
