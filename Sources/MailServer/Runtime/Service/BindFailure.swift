import Glibc
import NIOCore

/// Explains why a listener could not be opened, and what to do.
package enum BindFailure {
    package static func describe(_ error: any Error, _ endpoint: ListenerEndpoint) -> StartError {
        let what = "\(endpoint.name) cannot listen on \(endpoint.address)"
        guard let failure = error as? IOError else {
            return StartError("\(what): \(error); check \(endpoint.hostKey) and \(endpoint.portKey)")
        }
        switch failure.errnoCode {
        case EADDRINUSE:
            return StartError(
                "\(what): the port is in use by another program; stop it or change \(endpoint.portKey)"
            )
        case EACCES, EPERM:
            return StartError(
                "\(what): ports below 1024 require privileges; run as root, grant CAP_NET_BIND_SERVICE, or set "
                    + "\(endpoint.portKey) to a port above 1023")
        case EADDRNOTAVAIL:
            return StartError("\(what): this machine has no such address; set \(endpoint.hostKey) to one that it has")
        default:
            return StartError("\(what): \(failure); check \(endpoint.hostKey) and \(endpoint.portKey)")
        }
    }
}
