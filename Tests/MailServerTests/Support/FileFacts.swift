import FoundationEssentials

func permissions(_ path: String) throws -> Int {
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    let value = attributes[.posixPermissions]
    if let integer = value as? any BinaryInteger { return Int(truncatingIfNeeded: integer) }
    return (value as? Int) ?? -1
}

/// The sorted names in a directory, without those that begin with a dot.
func names(in path: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path).filter { !$0.hasPrefix(".") }.sorted()
}
