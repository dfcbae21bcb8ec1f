/// Path arithmetic on text alone; touches no file.
package enum PathText {
    /// Returns `path` if it is absolute, else the path below `base`. Drops `.` and empty components; keeps `..`,
    /// because symbolic links may matter.
    package static func absolute(_ path: String, base: String) -> String {
        normalized(path.hasPrefix("/") ? path : base + "/" + path)
    }

    package static func normalized(_ path: String) -> String {
        let parts = path.split(separator: "/").filter { $0 != "." }
        let joined = parts.joined(separator: "/")
        if path.hasPrefix("/") { return "/" + joined }
        return joined.isEmpty ? "." : joined
    }

    /// Whether `path` is `directory` or below it.
    package static func isInside(_ path: String, _ directory: String) -> Bool {
        let path = normalized(path)
        let directory = normalized(directory)
        return path == directory || path.hasPrefix(directory == "/" ? "/" : directory + "/")
    }

    /// Everything before the last component: `.` for a bare name, `/` for a path right below the root.
    package static func parent(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    package static func lastComponent(_ path: String) -> String {
        path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
    }
}
