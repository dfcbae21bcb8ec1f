import Glibc
import NIOCore

/// Explains why a listener could not be opened, and what to do.
package enum BindFailure {
    package static func describe(_ error: any Error, _ endpoint: ListenerEndpoint) -> StartError {
        let what = "\(endpoint.name) cannot listen on \(endpoint.address)"
        guard let failure = error as? IOError else {
            return StartError("\(what): \(error); look at \(endpoint.hostKey) and \(endpoint.portKey)")
        }
        switch failure.errnoCode {
        case EADDRINUSE:
            return StartError(
                "\(what): the port is taken by another program; stop that one or give \(endpoint.portKey) another number"
            )
        case EACCES, EPERM:
            return StartError(
                "\(what): ports below 1024 need privilege; run as root, grant CAP_NET_BIND_SERVICE, or give "
                    + "\(endpoint.portKey) a number above 1023")
        case EADDRNOTAVAIL:
            return StartError("\(what): this machine has no such address; set \(endpoint.hostKey) to one that it has")
        default:
            return StartError("\(what): \(failure); look at \(endpoint.hostKey) and \(endpoint.portKey)")
        }
    }
}
