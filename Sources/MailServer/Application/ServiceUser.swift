import Glibc
import Primitives
import ServerConfiguration
package import ServerRuntime

/// A user of this machine, with a group of its own or another one.
struct ServiceUser: Sendable, Equatable {
    var name: String
    var group: String
    var uid: UInt32
    var gid: UInt32

    /// The user that the server is to become; nil when it stays who it is.
    /// - Parameters:
    ///   - currentUID: the effective user of this process.
    ///   - find: finds a user of this machine, and a group.
    /// - Throws: one sentence on what to set, when the server must not serve as it is.
    static func resolve(
        _ configuration: Configuration, currentUID: UInt32, _ accounts: SystemAccounts = .system
    ) throws(StartError) -> ServiceUser? {
        let settings = configuration.service
        guard let name = settings.user else {
            guard currentUID == 0, let exposed = configuration.firstExposedHost else { return nil }
            throw StartError(
                "refusing to serve \(exposed) as root: set service.user to the user that the mail is to belong to, or to "
                    + "\"root\" if it has to be", isConfiguration: true)
        }
        guard let (uid, ownGroup) = accounts.user(name) else {
            throw StartError(
                "service.user: this machine has no user \(name); make one with 'useradd --system \(name)'",
                isConfiguration: true)
        }
        var gid = ownGroup
        if let group = settings.group {
            guard let found = accounts.group(group) else {
                throw StartError(
                    "service.group: this machine has no group \(group); make one with 'groupadd --system \(group)'",
                    isConfiguration: true)
            }
            gid = found
        }
        if uid == currentUID { return nil }
        guard currentUID == 0 else {
            throw StartError(
                "service.user is \(name), and only root can become that user: start rmail as root or as \(name)")
        }
        return ServiceUser(name: name, group: settings.group ?? accounts.groupName(gid), uid: uid, gid: gid)
    }
}

/// The users and groups of a machine.
struct SystemAccounts: Sendable {
    /// The number of a user and of its group; nil when there is none of that name.
    var user: @Sendable (String) -> (uid: UInt32, gid: UInt32)?
    var group: @Sendable (String) -> UInt32?
    var groupName: @Sendable (UInt32) -> String

    /// Those of this machine. Blocks; called while there is one thread.
    static let system = SystemAccounts(
        user: { name in getpwnam(name).map { ($0.pointee.pw_uid, $0.pointee.pw_gid) } },
        group: { name in getgrnam(name).map { $0.pointee.gr_gid } },
        groupName: { gid in getgrgid(gid).map { String(cString: $0.pointee.gr_name) } ?? "\(gid)" })
}

extension Configuration {
    /// The first listener's host that others than this machine can reach.
    fileprivate var firstExposedHost: String? {
        let listeners = [
            (smtp.host, [smtp.port, smtp.submissionPort, smtp.smtpsPort]), (imap.host, [imap.port, imap.imapsPort]),
        ]
        for (host, ports) in listeners where ports.contains(where: { $0 != nil }) {
            if host == "localhost" { continue }
            guard let address = IPAddress(host), Self.loopback.contains(where: { $0.contains(address) }) else {
                return host
            }
        }
        return nil
    }

    private static let loopback = ["127.0.0.0/8", "::1"].compactMap { IPNetwork($0) }
}
