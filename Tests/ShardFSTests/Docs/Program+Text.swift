import DurableFiles
import TestSupport

@testable import ShardFS

extension Program {
    static let hasPython = run(["python3", "--version"]).status == 0

    static func text(_ path: String) throws -> String {
        guard let bytes = try FilePublisher(system: SystemCalls()).read(path, in: SystemCalls.currentDirectory) else {
            return ""
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
