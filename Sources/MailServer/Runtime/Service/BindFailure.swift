import Glibc
import NIOCore

/// Says why a listener could not be opened, and what to do.
enum BindFailure {
    static func describe(_ error: any Error, _ place: ListenerPlace) -> StartError {
        let what = "\(place.name) cannot listen on \(place.address)"
        guard let failure = error as? IOError else {
            return StartError("\(what): \(error); look at \(place.hostKey) and \(place.portKey)")
        }
        switch failure.errnoCode {
        case EADDRINUSE:
            return StartError(
                "\(what): the port is taken by another program; stop that one or give \(place.portKey) another number")
        case EACCES, EPERM:
            return StartError(
                "\(what): ports below 1024 need privilege; run as root, grant CAP_NET_BIND_SERVICE, or give "
                    + "\(place.portKey) a number above 1023")
        case EADDRNOTAVAIL:
            return StartError("\(what): this machine has no such address; set \(place.hostKey) to one that it has")
        default:
            return StartError("\(what): \(failure); look at \(place.hostKey) and \(place.portKey)")
        }
    }
}
