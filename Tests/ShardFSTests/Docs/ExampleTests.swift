import Glibc
import TestSupport
import Testing

@testable import ShardFS

/// The package in docs/examples, shown by docs/library.md: built the way a dependent builds it, and doing what the page
/// says.
@Suite struct ExampleTests {
    static let package = Repository.path + "/docs/examples/shardfs-example"

    @Test func pageShowsTheProgram() throws {
        let source = try Program.text(Self.package + "/Sources/main.swift")
        let page = try Program.text(Repository.path + "/docs/library.md")
        #expect(!source.isEmpty)
        #expect(page.contains("```swift\n\(source)```\n"))
    }

    @Test func pageNamesTheVersion() throws {
        let source = try Program.text(Repository.path + "/Sources/rmail/Version.swift")
        let version = try #require(source.split(separator: "\"").dropFirst().first)
        let page = try Program.text(Repository.path + "/docs/library.md")
        #expect(page.contains("from: \"\(version)\", traits: []"))
        #expect(page.contains("the tag `\(version)`"))
    }

    @Test func dependentBuildsTheEngineAlone() throws {
        let test = try TestStore()
        let copy = test.path + "/dependent"
        try #require(mkdir(copy, 0o700) == 0)
        try #require(
            Program.run(["cp", "-R", Self.package + "/Package.swift", Self.package + "/Sources", copy]).status == 0)
        let path = #"s|path: "../../.."|path: "\#(Repository.path)"|"#
        try #require(Program.run(["sed", "-i", path, copy + "/Package.swift"]).status == 0)

        // A separate scratch path: the repository's is locked by the run that this test belongs to. It is kept, so that
        // only the first run compiles the engine.
        let scratch = Repository.path + "/.build/shardfs-example"
        let (log, built) = Program.run(
            ["swift", "build", "--package-path", copy, "--scratch-path", scratch], withErrors: true)
        try #require(built == 0, "\(log)")
        #expect(Program.run(["ls", scratch + "/checkouts"]).output == "", "fetched a dependency")
        #expect(access(copy + "/Package.resolved", F_OK) != 0, "pinned a dependency")
        try run(scratch + "/debug/shardfs-example", in: test.path + "/example")
    }

    private func run(_ program: String, in root: String) throws {
        let (output, status) = Program.run([program, root])
        #expect(status == 0)
        let expected = """
            added one as 1
            added two as 2
            Lists/Grüße 1 24
            Lists/Grüße 2 24 \\Seen $Newsletter
            Subject: one

            """
        #expect(output == expected)
        #expect(try Program.text(Repository.path + "/docs/library.md").contains(expected))
        // A second run finds the messages of the first.
        #expect(Program.run([program, root]).output.hasPrefix("added one as 3\n"))
        #expect(try StoreCheck(root: root).run().errors.isEmpty)
    }
}
