import FoundationEssentials
import Glibc

/// An operation of a worker, recorded in its history before it starts.
struct Operation: Codable {
    enum Kind: String, Codable {
        case append, set, flags, conditional, expunge, remove, undelete, copy, move, list, read, compact, recent, reopen
    }

    var kind: Kind
    /// `alice@example.com/INBOX`.
    var mailbox: String
    var target: String?
    var uids: [UInt32] = []
    /// Names of the contents to append, or of the message to undelete.
    var tokens: [String] = []
    /// Flags by name: those of a new message, or those to add.
    var add: [String] = []
    var remove: [String] = []
}

/// The result of an operation.
struct Outcome: Codable {
    /// Source and new UID.
    var pairs: [[UInt32]] = []
    /// New UIDs in order, or expunged UIDs.
    var uids: [UInt32] = []
    var missing: [UInt32] = []
    var modified: [UInt32] = []
    /// Flags seen, by UID.
    var flags: [UInt32: [String]] = [:]
    var token: String?
    var highest: UInt64?
}

/// One line of a history file.
struct Event: Codable {
    enum Phase: String, Codable { case invoke, ok, fail, violation }

    var phase: Phase
    /// The operation's id, unique in its file.
    var id: Int
    /// Monotonic nanoseconds.
    var at: UInt64
    var operation: Operation?
    var outcome: Outcome?
    var error: String?
}

/// Appends lines to its own file: each is a single write, so it is complete even if the process is killed right after
/// it.
final class HistoryWriter: Sendable {
    private let descriptor: Int32

    init(_ path: String) {
        descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        precondition(descriptor >= 0, "cannot make \(path)")
    }

    func write(_ event: Event) {
        guard var bytes = try? JSONEncoder().encode(event) else { return }
        bytes.append(0x0A)
        let written = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        precondition(written == bytes.count, "the history could not be written")
    }

    func violation(_ text: String) {
        write(Event(phase: .violation, id: 0, at: now(), error: text))
    }
}

/// An operation with its start and end: `end` is the maximum for one without a result.
struct Action {
    enum Status { case ok, failed(String), unknown }

    var operation: Operation
    var start: UInt64
    var end: UInt64 = .max
    var status = Status.unknown
    var outcome = Outcome()
    /// The position in the history files, for messages.
    var source: String

    var isOK: Bool { if case .ok = status { true } else { false } }
    /// Whether it may have changed something without reporting it.
    var isUnknown: Bool {
        switch status {
        case .ok: false
        case .unknown: true
        // These errors promise that nothing was stored.
        case .failed(let code): !(code == "over quota" || code == "limit" || operation.kind == .append)
        }
    }
}

/// All histories of a run.
struct History {
    var actions: [Action] = []
    var violations: [String] = []

    /// Reads every file of a directory.
    init(directory: String) throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: directory).sorted() {
            let data = try Data(contentsOf: URL(filePath: "\(directory)/\(name)"))
            var open: [Int: Int] = [:]
            for line in data.split(separator: 0x0A) {
                let event = try JSONDecoder().decode(Event.self, from: Data(line))
                take(event, from: name, &open)
            }
        }
    }

    init(_ actions: [Action]) { self.actions = actions }

    private mutating func take(_ event: Event, from name: String, _ open: inout [Int: Int]) {
        switch event.phase {
        case .violation: violations.append("\(name): \(event.error ?? "")")
        case .invoke:
            guard let operation = event.operation else { return }
            open[event.id] = actions.count
            actions.append(Action(operation: operation, start: event.at, source: "\(name):\(event.id)"))
        case .ok, .fail:
            guard let index = open.removeValue(forKey: event.id) else { return }
            actions[index].end = event.at
            actions[index].outcome = event.outcome ?? Outcome()
            actions[index].status = event.phase == .ok ? .ok : .failed(event.error ?? "")
        }
    }
}
