import Glibc
import TestSupport

@testable import ShardFS

extension Program {
    /// The repository, found from this file.
    static let repository: String = {
        let file = realpath(#filePath, nil).map { path in
            defer { free(path) }
            return String(cString: path)
        }
        // …/Tests/ShardFSTests/Docs/Program+Repository.swift
        return (file ?? #filePath).split(separator: "/").dropLast(4).reduce("") { "\($0)/\($1)" }
    }()

    static let hasPython = run(["python3", "--version"]).status == 0

    static func text(_ path: String) throws -> String {
        guard let bytes = try FilePublisher(system: System()).read(path, in: System.currentDirectory) else { return "" }
        return String(decoding: bytes, as: UTF8.self)
    }
}
