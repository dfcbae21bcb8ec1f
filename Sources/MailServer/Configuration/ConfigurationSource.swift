package import DurableFiles
import FoundationEssentials
import Glibc
import Primitives

/// The source of a configuration, from which a reload reads it again.
package struct ConfigurationSource: Sendable {
    /// The process environment used to resolve a configuration; a plain value, so that tests can supply their own.
    package struct Surroundings: Sendable {
        package var environment: [String: String]
        package var workingDirectory: String
        package var isRoot: Bool

        package init(environment: [String: String], workingDirectory: String, isRoot: Bool) {
            self.environment = environment
            self.workingDirectory = workingDirectory
            self.isRoot = isRoot
        }

        /// The surroundings of this process.
        package static func current() -> Surroundings {
            Surroundings(
                environment: ProcessInfo.processInfo.environment,
                workingDirectory: FileManager.default.currentDirectoryPath, isRoot: geteuid() == 0)
        }
    }

    /// Absolute path of config.json.
    package let path: String
    package let surroundings: Surroundings

    package static let systemPath = "/etc/rmail/config.json"

    /// - Parameter path: the file to read; nil selects `./config.json`, or `/etc/rmail/config.json` if only that one
    ///   exists.
    package init(path: String?, surroundings: Surroundings, files: PathFiles) {
        self.surroundings = surroundings
        let local = PathText.absolute(path ?? "config.json", base: surroundings.workingDirectory)
        if path == nil, !files.exists(local), files.exists(Self.systemPath) {
            self.path = Self.systemPath
        } else {
            self.path = local
        }
    }

    /// Reads the file and the environment. Paths in the result are absolute.
    /// - Throws: An error if the file is missing or unreadable, and the errors of `Configuration.read`.
    package func load(
        _ files: PathFiles
    ) throws(ConfigurationError) -> (configuration: Configuration, warnings: [String]) {
        let bytes: [UInt8]?
        do {
            bytes = try files.read(path)
        } catch {
            throw ConfigurationError("could not read the configuration: \(error)")
        }
        guard let bytes else {
            throw ConfigurationError("there is no configuration at \(path); create one with 'rmail init'")
        }
        let (configuration, warnings) = try Configuration.read(
            bytes, name: path, environment: surroundings.environment)
        let resolved = configuration.resolved(base: PathText.parent(path), surroundings: surroundings)
        let problems = resolved.contradictions()
        guard problems.isEmpty else { throw ConfigurationError(problems) }
        return (resolved, warnings)
    }
}

extension Configuration {
    /// Makes every path absolute and fills in the machine-dependent defaults.
    package func resolved(base: String, surroundings: ConfigurationSource.Surroundings) -> Configuration {
        var result = self
        let base = PathText.absolute(base, base: surroundings.workingDirectory)
        let absolute = { (path: String) in PathText.absolute(path, base: base) }
        result.mailRoot = absolute(mailRoot)
        result.tls.certFile = tls.certFile.map(absolute)
        result.tls.keyFile = tls.keyFile.map(absolute)
        let state = storage.statePath.map(absolute) ?? defaultStatePath(surroundings)
        result.storage.statePath = state
        result.index.path = index.path.map(absolute) ?? state + "/cache"
        return result
    }

    private func defaultStatePath(_ surroundings: ConfigurationSource.Surroundings) -> String {
        // A service's state stands where root's does, whoever looks at it.
        if surroundings.isRoot || service.user != nil { return "/var/lib/rmail" }
        if let state = surroundings.environment["XDG_STATE_HOME"], state.hasPrefix("/") {
            return PathText.normalized(state + "/rmail")
        }
        let home = surroundings.environment["HOME"] ?? surroundings.workingDirectory
        return PathText.normalized(home + "/.local/state/rmail")
    }
}
