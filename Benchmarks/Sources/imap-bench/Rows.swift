import Glibc
import TestSupport

/// The measurements. Each command measures one thing on one server and prints one JSON object.
struct Rows {
    let options: Options

    func run(_ name: String) throws -> String {
        switch name {
        case "corpus": try corpus()
        case "fill": try fill()
        case "time": try time()
        case "append": try append()
        case "store": try store()
        case "idle": try idle()
        case "login": try login()
        default: throw Failure(description: "\(name): no such command")
        }
    }

    // MARK: filling

    /// Writes messages, from `first` on, to files `directory/00000001`…, for stores built without a server.
    private func corpus() throws -> String {
        let directory = try options.text("directory")
        var corpus = Corpus(
            seed: UInt64(try options.number("seed", default: 1)), size: try options.number("size", default: 4096))
        let count = try options.number("count")
        for index in 0..<count {
            let digits = "\(index + 1)"
            let path = "\(directory)/\(String(repeating: "0", count: 8 - digits.count))\(digits)"
            let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
            guard descriptor >= 0 else { throw Failure.system(path) }
            defer { close(descriptor) }
            let message = corpus.message(index)
            guard write(descriptor, message, message.count) == message.count else { throw Failure.system(path) }
        }
        return #"{"count": \#(count)}"#
    }

    /// Appends `count` messages in sets. The same seed gives every server the same messages.
    private func fill() throws -> String {
        let connection = try Connection(options)
        let mailbox = try options.text("mailbox")
        let set = try options.number("set", default: 500)
        let count = try options.number("count")
        var corpus = Corpus(
            seed: UInt64(try options.number("seed", default: 1)), size: try options.number("size", default: 4096))
        let start = now()
        var index = 0
        var octets = 0
        while index < count {
            let tag = connection.nextTag()
            try connection.send("\(tag) APPEND \(mailbox)")
            for _ in 0..<min(set, count - index) {
                let message = corpus.message(index)
                octets += message.count
                try connection.send(Rows.announcement(index, message.count))
                try message.withUnsafeBytes { try connection.send($0) }
                index += 1
            }
            try connection.send("\r\n")
            _ = try connection.finish(tag, "APPEND", since: start)
        }
        return #"{"count": \#(count), "octets": \#(octets), "seconds": \#(seconds(now() - start))}"#
    }

    private static func announcement(_ index: Int, _ size: Int) -> String {
        " (\(Corpus.flags(index))) \"\(Corpus.internalDate(Corpus.time(index)))\" {\(size)+}\r\n"
    }

    // MARK: single commands

    /// Repeats `repeat` times: logs in, sends each `before` untimed, then times each `command`.
    private func time() throws -> String {
        var all: [String] = []
        for _ in 0..<(try options.number("repeat", default: 1)) {
            let connection = try Connection(options)
            for command in options.all("before") { try connection.command(command) }
            var answers: [String] = []
            for command in options.all("command") {
                let answer = try connection.command(command)
                answers.append(
                    #"{"seconds": \#(seconds(answer.nanoseconds)), "bytes": \#(answer.bytes), "lines": \#(answer.lines)}"#
                )
            }
            for command in options.all("after") { try connection.command(command) }
            all.append("[\(answers.joined(separator: ", "))]")
        }
        return #"{"runs": [\#(all.joined(separator: ", "))]}"#
    }

    // MARK: many connections

    /// Appends `count` messages on each of `connections`, one APPEND each; a `%` in `mailbox` becomes the connection's
    /// number.
    private func append() throws -> String {
        let count = try options.number("count")
        let mailbox = try options.text("mailbox")
        let size = try options.number("size", default: 4096)
        let seed = try options.number("seed", default: 2)
        return try onConnections { connection, number in
            var corpus = Corpus(seed: UInt64(seed * 1000 + number), size: size)
            let name = mailbox.split(separator: "%", omittingEmptySubsequences: false).joined(separator: "\(number)")
            let requests = (0..<count).map { index in
                let message = corpus.message(index)
                return Array("APPEND \(name)\(Rows.announcement(index, message.count))".utf8) + message + [0x0D, 0x0A]
            }
            return {
                for request in requests {
                    let tag = connection.nextTag()
                    try (Array("\(tag) ".utf8) + request).withUnsafeBytes { try connection.send($0) }
                    _ = try connection.finish(tag, "APPEND", since: 0)
                }
                return count
            }
        }
    }

    /// Changes flags on each of `connections`, at most `count` times and only starting within `seconds`, of single
    /// messages with UIDs `first` to `last` in random order.
    private func store() throws -> String {
        let count = try options.number("count")
        let first = try options.number("first")
        let last = try options.number("last")
        let limit = try options.number("seconds", default: 60)
        let mailbox = try options.text("mailbox")
        return try onConnections { connection, number in
            try connection.command("SELECT \(mailbox)")
            var random = SeededGenerator(seed: UInt64(number))
            return {
                var uid = first
                let deadline = now() + Int64(limit) * 1_000_000_000
                for index in 0..<count {
                    if index % 2 == 0, now() > deadline { return index }
                    // Set, then cleared, so that each command is a change.
                    if index % 2 == 0 { uid = Int.random(in: first...last, using: &random) }
                    try connection.command("UID STORE \(uid) \(index % 2 == 0 ? "+" : "-")FLAGS (\\Flagged)")
                }
                return count
            }
        }
    }

    /// Prepares every connection, then runs the closures returned by `prepare` all at once, each on its own thread.
    private func onConnections(
        _ prepare: (Connection, Int) throws -> () throws -> Int
    ) throws -> String {
        let connections = try options.number("connections", default: 1)
        let work = try (0..<connections).map { try prepare(Connection(options), $0) }
        let start = now()
        let done = try Threads.run(work)
        let taken = seconds(now() - start)
        return #"{"count": \#(done), "seconds": \#(taken), "rate": \#(Double(done) / taken)}"#
    }

    // MARK: IDLE, logins

    /// Idles in one session and appends in another: measures the time from the APPEND's OK to EXISTS, zero if EXISTS
    /// came first. `other-port` is the port of the appending session.
    private func idle() throws -> String {
        let mailbox = try options.text("mailbox")
        let idling = try Connection(options)
        let other = try Connection(options, port: options.optional("other-port") == nil ? "port" : "other-port")
        try idling.command("SELECT \(mailbox)")
        let idleTag = idling.nextTag()
        try idling.send("\(idleTag) IDLE\r\n")
        _ = try idling.receive { $0.starts(with: "+".utf8) }
        var corpus = Corpus(seed: UInt64(now()), size: 1024)
        var latencies: [Double] = []
        for index in 0..<(try options.number("count", default: 10)) {
            // Out of step with the server's timers, and after any work started by the previous message.
            usleep(UInt32(100_000 + (index * 37) % 100 * 1000))
            let message = corpus.message(index)
            let tag = other.nextTag()
            try other.send("\(tag) APPEND \(mailbox)\(Rows.announcement(index, message.count))")
            try message.withUnsafeBytes { try other.send($0) }
            try other.send("\r\n")
            var ok: Int64?
            var exists: Int64?
            var seen: [UInt8] = []
            while ok == nil || exists == nil {
                var descriptors = [
                    pollfd(fd: other.descriptor, events: Int16(POLLIN), revents: 0),
                    pollfd(fd: idling.descriptor, events: Int16(POLLIN), revents: 0),
                ]
                guard poll(&descriptors, 2, 10_000) > 0 else { throw Failure(description: "no EXISTS for ten seconds") }
                if descriptors[0].revents != 0 {
                    _ = try other.finish(tag, "APPEND", since: 0)
                    ok = now()
                }
                if descriptors[1].revents != 0 {
                    seen += try idling.piece()
                    if String(decoding: seen, as: UTF8.self).contains(" EXISTS\r\n") { exists = exists ?? now() }
                }
            }
            latencies.append(seconds(max(0, exists! - ok!)))
        }
        try idling.send("DONE\r\n")
        _ = try idling.finish(idleTag, "IDLE", since: 0)
        return #"{"seconds": \#(latencies)}"#
    }

    /// Opens connections one after the other, each with a login.
    private func login() throws -> String {
        let count = try options.number("count", default: 100)
        _ = try Connection(options)
        let start = now()
        for _ in 0..<count { _ = try Connection(options) }
        let taken = seconds(now() - start)
        return #"{"count": \#(count), "seconds": \#(taken), "rate": \#(Double(count) / taken)}"#
    }

    private func seconds(_ nanoseconds: Int64) -> Double { Double(nanoseconds) / 1e9 }
}
