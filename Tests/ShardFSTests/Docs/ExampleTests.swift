import TestSupport
import Testing

@testable import ShardFS

/// The program in docs/library.md: shown as it is built, and doing what the page says.
@Suite struct ExampleTests {
    static let source = Repository.path + "/docs/examples/shardfs-example/main.swift"

    @Test func pageShowsTheProgram() throws {
        let source = try Program.text(Self.source)
        let page = try Program.text(Repository.path + "/docs/library.md")
        #expect(!source.isEmpty)
        #expect(page.contains("```swift\n\(source)```\n"))
    }

    @Test func programRuns() throws {
        let test = try TestStore()
        let root = test.path + "/example"
        let (output, status) = Program.run([Program.built("shardfs-example"), root])
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
        // A second run finds what the first one left.
        #expect(Program.run([Program.built("shardfs-example"), root]).output.hasPrefix("added one as 3\n"))
        #expect(try StoreCheck(root: root).run().errors.isEmpty)
    }
}
