import Glibc

struct Failure: Error, CustomStringConvertible {
    var description: String

    static func system(_ what: String) -> Failure {
        Failure(description: "\(what): \(String(cString: strerror(errno)))")
    }
}

/// Monotonic nanoseconds.
func now() -> Int64 {
    var t = timespec()
    clock_gettime(CLOCK_MONOTONIC, &t)
    return Int64(t.tv_sec) * 1_000_000_000 + Int64(t.tv_nsec)
}

/// The measured response to a command. Only its last line is parsed.
struct Answer {
    var nanoseconds: Int64
    var bytes = 0
    var lines = 0
    var status = ""
}

/// A blocking connection with almost no work of its own: responses are read in large pieces and only the last line is
/// examined, so that the measured time is the server's.
final class Connection {
    let descriptor: Int32
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
    /// The beginning of a line split by the end of a piece.
    private var carried: [UInt8] = []
    private var commands = 0

    init(port: UInt16) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw Failure.system("socket") }
        self.descriptor = descriptor
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { throw Failure.system("connect to port \(port)") }
    }

    /// Connects, reads the greeting and logs in.
    convenience init(_ options: Options, port: String = "port") throws {
        try self.init(port: options.port(port))
        let greeting = try receive { $0.starts(with: "* OK".utf8) }
        guard greeting.status.hasPrefix("* OK") else { throw Failure(description: greeting.status) }
        try command("LOGIN \(options.text("user")) \"\(options.text("password"))\"")
    }

    deinit {
        close(descriptor)
        buffer.deallocate()
    }

    func send(_ bytes: UnsafeRawBufferPointer) throws {
        var sent = 0
        while sent < bytes.count {
            let n = Glibc.send(descriptor, bytes.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            guard n > 0 else { throw Failure.system("send") }
            sent += n
        }
    }

    func send(_ text: String) throws {
        var text = text
        try text.withUTF8 { try send(UnsafeRawBufferPointer($0)) }
    }

    /// Returns a tag that no message text has at the beginning of a line.
    func nextTag() -> String {
        commands += 1
        return "zq\(commands)"
    }

    /// Sends a command and waits for its completion, which must be OK.
    @discardableResult
    func command(_ text: String) throws -> Answer {
        let tag = nextTag()
        let line = "\(tag) \(text)\r\n"
        let start = now()
        try send(line)
        return try finish(tag, text, since: start)
    }

    /// Waits for the completion of the command with this tag, which must be OK.
    func finish(_ tag: String, _ text: String, since start: Int64) throws -> Answer {
        let prefix = Array("\(tag) ".utf8)
        var answer = try receive { $0.starts(with: prefix) }
        answer.nanoseconds = now() - start
        guard answer.status.hasPrefix("\(tag) OK") else {
            throw Failure(description: "\(text.prefix(200)): \(answer.status.prefix(400))")
        }
        return answer
    }

    /// Reads one piece, as much as is available; waits for the first byte.
    func piece() throws -> UnsafeRawBufferPointer {
        let n = recv(descriptor, buffer.baseAddress!, buffer.count, 0)
        guard n > 0 else { throw n == 0 ? Failure(description: "the server hung up") : Failure.system("recv") }
        return UnsafeRawBufferPointer(rebasing: buffer[..<n])
    }

    /// Reads until the last line received is complete and matches.
    func receive(until isLast: (ArraySlice<UInt8>) -> Bool) throws -> Answer {
        var answer = Answer(nanoseconds: 0)
        while true {
            let bytes = try piece()
            answer.bytes += bytes.count
            answer.lines += newlines(bytes)
            let isWhole = bytes[bytes.count - 1] == 0x0A
            // The last newline except one that ends the piece.
            let found = bytes[..<(isWhole ? bytes.count - 1 : bytes.count)].lastIndex(of: 0x0A)
            if found != nil { carried.removeAll(keepingCapacity: true) }
            carried.append(contentsOf: bytes[(found.map { $0 + 1 } ?? 0)...])
            guard isWhole else { continue }
            if isLast(carried[...]) {
                answer.status = String(decoding: carried, as: UTF8.self)
                carried.removeAll(keepingCapacity: true)
                return answer
            }
            carried.removeAll(keepingCapacity: true)
        }
    }

    private func newlines(_ bytes: UnsafeRawBufferPointer) -> Int {
        var count = 0
        for byte in bytes { count &+= byte == 0x0A ? 1 : 0 }
        return count
    }
}
