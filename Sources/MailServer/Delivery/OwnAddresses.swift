import NIOCore
import Primitives
import SMTPCodec

/// The addresses of this host, for recipients such as `user@[192.0.2.1]` (RFC 5321 section 4.1.3).
enum OwnAddresses {
    /// True if a network interface has the address now, or the configuration names it.
    static func contains(_ address: IPAddress, configured: [IPAddress]) -> Bool {
        if configured.contains(address) { return true }
        // If the interfaces cannot be listed, only the configured addresses count.
        let devices = (try? System.enumerateDevices()) ?? []
        return devices.contains { $0.address?.ipAddress.flatMap { IPAddress($0) } == address }
    }
}
