import CPosix
import Glibc
import NIOCore
import Primitives
package import ServerConfiguration
package import ServerRuntime

/// Root's part in the life of the process: it opens the ports and makes directories, then becomes `service.user`.
package enum Privileges {
    /// Becomes the configured user for a command on the store; does nothing when that is not asked for.
    /// - Throws: one sentence on what to do.
    package static func drop(_ configuration: Configuration) throws(StartError) {
        guard geteuid() == 0, configuration.service.user != nil,
            let user = try ServiceUser.resolve(configuration, currentUID: 0)
        else { return }
        try become(user, configuration, readable: [])
    }

    /// Opens the listeners' sockets and becomes the configured user, before the first thread that lasts.
    /// - Parameter configurationFile: read by a reload.
    /// - Returns: the sockets, for the services to listen on; empty when the process stays who it is.
    static func prepareServer(
        _ configuration: Configuration, configurationFile: String, _ endpoints: [ListenerEndpoint]
    ) throws(StartError) -> BoundSockets {
        guard let user = try ServiceUser.resolve(configuration, currentUID: geteuid()) else { return BoundSockets() }
        let sockets = try BoundSockets(endpoints)
        let tls = configuration.tls.enabled ? [configuration.tls.certFile, configuration.tls.keyFile] : []
        try become(user, configuration, readable: [configurationFile] + tls.compactMap { $0 })
        return sockets
    }

    private static func become(
        _ user: ServiceUser, _ configuration: Configuration, readable: [String]
    ) throws(StartError) {
        let directories = directories(of: configuration)
        for path in directories { try makeDirectory(path, for: user) }
        guard cposix_become(user.name, user.uid, user.gid) == 0, geteuid() == user.uid, setuid(0) != 0 else {
            throw StartError("could not become the user \(user.name): \(String(cString: strerror(errno)))")
        }
        try checkAccess(directories, readable: readable, for: user)
    }

    /// Those that the server writes to.
    private static func directories(of configuration: Configuration) -> [String] {
        let index = configuration.index.enabled ? configuration.index.path : nil
        return [configuration.mailRoot, configuration.storage.statePath, index].compactMap { $0 }
    }

    /// Makes a directory and the missing ones above it, which then belong to the user.
    private static func makeDirectory(_ path: String, for user: ServiceUser) throws(StartError) {
        let parent = PathText.parent(path)
        if access(path, F_OK) == 0 { return }
        if parent != path { try makeDirectory(parent, for: user) }
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
            throw StartError("could not make \(path): \(String(cString: strerror(errno)))")
        }
        // Not through a link that somebody has put there meanwhile.
        guard lchown(path, user.uid, user.gid) == 0 else {
            throw StartError("could not give \(path) to \(user.name): \(String(cString: strerror(errno)))")
        }
    }

    /// What the user must be able to use, checked as that user.
    private static func checkAccess(
        _ directories: [String], readable: [String], for user: ServiceUser
    ) throws(StartError) {
        let inside = ["format.json", "domains", "tls/key.pem", "node", "login_secret"]
        for directory in directories {
            let contents = inside.map { name -> String in "\(directory)/\(name)" }
                .filter { access($0, F_OK) == 0 }
            guard access(directory, R_OK | W_OK | X_OK) == 0, contents.allSatisfy({ access($0, R_OK | W_OK) == 0 })
            else {
                throw StartError(
                    "\(user.name) (service.user) must own \(directory) and all in it, and be able to reach it: "
                        + "chown -R \(user.name):\(user.group) \(directory)")
            }
        }
        for file in readable where access(file, R_OK) != 0 {
            guard access(file, F_OK) == 0 || errno == EACCES else { continue }
            throw StartError(
                "\(user.name) (service.user) must be able to read \(file), at each reload too: "
                    + "chgrp \(user.group) \(file) && chmod g+r \(file)")
        }
    }
}
