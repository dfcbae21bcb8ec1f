import DurableFiles
import Glibc
import TestSupport
import Testing

@Suite struct PathFilesTests {
    private let place = TemporaryDirectory()
    private let files = PathFiles(lockTimeout: 5_000_000)

    private func path(_ name: String) -> String { place.path + "/" + name }

    @Test func aFileComesAndIsReplaced() throws {
        #expect(try files.read(path("file")) == nil)
        #expect(try files.stamp(path("file")) == nil)
        try files.publish([1], at: path("file"), replacing: false)
        let stamp = try files.stamp(path("file"))
        #expect(throws: FileError(.exists, "")) { try files.publish([2], at: path("file"), replacing: false) }
        #expect(try files.stamp(path("file")) == stamp)
        try files.publish([3], at: path("file"), replacing: true)
        #expect(try files.stamp(path("file")) != stamp)
        #expect(try files.read(path("file")) == [3])
        #expect(files.exists(path("file")))
        #expect(!files.exists(path("other")))
        #expect(throws: FileError.self) { try files.publish([1], at: path("none/file"), replacing: true) }
    }

    @Test func linksAreFollowed() throws {
        try files.makeDirectory(path("real/inside"))
        try files.publish([1], at: path("real/file"), replacing: false)
        #expect(symlink("real", path("link")) == 0)
        #expect(symlink("nowhere", path("dangling")) == 0)
        #expect(symlink("file", path("real/other")) == 0)
        #expect(try files.read(path("link/other")) == [1])
        #expect(try files.directories(in: path("link")) == ["inside"])
        #expect(try files.makeDirectory(path("link")) == false)
        #expect(!files.exists(path("dangling")))
    }

    @Test func directoriesAreMadeWithTheirParents() throws {
        #expect(try files.makeDirectory(path("a/b/c")))
        #expect(try !files.makeDirectory(path("a/b/c")))
        try files.publish([], at: path("a/file"), replacing: false)
        try files.makeDirectory(path("a/.hidden"))
        try files.makeDirectory(path("a/Z"))
        #expect(try files.directories(in: path("a")) == ["Z", "b"])
        #expect(try files.directories(in: path("none")) == [])
        #expect(throws: FileError(.damaged, "")) { try files.makeDirectory(path("a/file")) }
        #expect(throws: FileError(.damaged, "")) { try files.makeDirectory(path("a/file/below")) }
    }

    @Test func aTreeIsRemovedWhateverItsNames() throws {
        try files.makeDirectory(path("tree/a/b"))
        try files.publish([1], at: path("tree/a/b/file"), replacing: false)
        try files.makeDirectory(path("kept"))
        #expect(symlink("../kept", path("tree/link")) == 0)
        let odd: [CChar] = Array(path("tree/").utf8CString.dropLast()) + [-1, -2, 0]
        #expect(mkdir(odd, 0o700) == 0)
        try files.removeTree(path("tree"))
        #expect(try files.directories(in: place.path) == ["kept"])
        #expect(try DirectoryListing.names(SystemCalls(), AT_FDCWD, place.path) == ["kept"])
        #expect(throws: FileError.self) { try files.removeTree(path("tree")) }
        #expect(place.openDescriptors().isEmpty)
    }

    @Test func aLockKeepsOthersOut() throws {
        let result = try files.withLock(in: place.path, failure: { $0 }) { () throws(FileError) in
            #expect(throws: FileError(.busy, "")) {
                try files.withLock(in: place.path, failure: { $0 }) { () throws(FileError) in }
            }
            return 7
        }
        #expect(result == 7)
        try files.withLock(in: place.path, failure: { $0 }) { () throws(FileError) in }
        #expect(throws: FileError(.gone, "")) {
            try files.withLock(in: path("none"), failure: { $0 }) { () throws(FileError) in }
        }
    }
}
