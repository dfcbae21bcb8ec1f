import Primitives
import Testing

@Suite struct PathTextTests {
    @Test(arguments: [
        ("/a/./b//c", "/a/b/c"), ("./a", "a"), ("/", "/"), (".", "."), ("", "."), ("/a/../b", "/a/../b"),
    ])
    func normalizedPaths(path: String, expected: String) {
        #expect(PathText.normalized(path) == expected)
    }

    @Test func insideAndParent() {
        #expect(PathText.isInside("/a/b", "/a"))
        #expect(PathText.isInside("/a", "/a/"))
        #expect(!PathText.isInside("/ab", "/a"))
        #expect(PathText.isInside("/ab", "/"))
        #expect(PathText.parent("/a/b") == "/a")
        #expect(PathText.parent("/a") == "/")
        #expect(PathText.parent("a") == ".")
        #expect(PathText.lastComponent("/a/b") == "b")
    }
}
