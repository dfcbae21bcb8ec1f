import Glibc

/// The files of the repository, located relative to this one.
public enum Repository {
    public static let path: String = {
        let file = realpath(#filePath, nil).map { path in
            defer { free(path) }
            return String(cString: path)
        }
        // …/Tests/TestSupport/Repository.swift
        return (file ?? #filePath).split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
    }()

    /// The seed inputs of a fuzz target, by name.
    public static func fuzzCorpus(_ target: String) -> [(name: String, bytes: [UInt8])] {
        let folder = "\(path)/Fuzz/corpus/\(target)"
        return names(in: folder).filter { !$0.hasPrefix(".") }.sorted().map { ($0, contents("\(folder)/\($0)")) }
    }

    private static func names(in folder: String) -> [String] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let bytes = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            names.append(String(decoding: bytes, as: UTF8.self))
        }
        return names
    }

    private static func contents(_ file: String) -> [UInt8] {
        guard let stream = fopen(file, "re") else { return [] }
        defer { fclose(stream) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = fread(&buffer, 1, buffer.count, stream)
            if count == 0 { return bytes }
            bytes += buffer[..<count]
        }
    }
}
