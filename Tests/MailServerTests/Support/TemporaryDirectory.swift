import FoundationEssentials

/// A directory of its own for one test, gone when the last reference goes.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        let base = FileManager.default.temporaryDirectory.path
        let trimmed = base.hasSuffix("/") ? String(base.dropLast()) : base
        path = "\(trimmed)/rmail-test-\(UInt64.random(in: 0...UInt64.max))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
