import FoundationEssentials
import ShardFS

/// The mailbox and UID by which a client knows a message.
struct Place: Hashable, Comparable, CustomStringConvertible {
    var mailbox: String
    var uid: UInt32

    static func < (a: Place, b: Place) -> Bool { (a.mailbox, a.uid) < (b.mailbox, b.uid) }
    var description: String { "message \(uid) of \(mailbox)" }
}

/// The contents of the store after all processes have stopped.
struct FinalState {
    /// Flags by name.
    var flags: [Place: [String]] = [:]
    var tokens: [Place: String] = [:]
    /// Messages waiting in `.expunged/`.
    var expunged: [Place: String] = [:]
    /// Problems in the store itself.
    var problems: [String] = []

    init() {}

    init(_ store: Store) throws {
        for name in World.mailboxes {
            let mailbox = try World.mailbox(name, in: store)
            let snapshot = try mailbox.snapshot()
            try snapshot.messages.forEach { entry in
                let place = Place(mailbox: name, uid: entry.uid.rawValue)
                flags[place] = World.names(entry.flags, snapshot.keywords)
                guard let token = Content.token(try mailbox.open(entry.uid).read()) else {
                    problems.append("\(place) is not what was sent")
                    return
                }
                tokens[place] = token
            }
            for message in try mailbox.recoverableMessages() {
                let place = Place(mailbox: name, uid: message.uid.rawValue)
                // By its path: `open` searches all expunged messages, of which there are many here.
                let file = "\(message.uidValidity).\(MessageFileName.string(message.uid, message.flags))"
                let path = "\(World.directory(name, in: store))/.expunged/\(message.hour)/\(file)"
                guard let data = try? Data(contentsOf: URL(filePath: path)), let token = Content.token(Array(data))
                else {
                    problems.append("\(place), which was expunged, is not what was sent")
                    continue
                }
                expunged[place] = token
            }
        }
        for address in try store.accounts() {
            let quota = try store.account(address).quota()
            if !quota.limits.allow(bytes: quota.bytes, messages: quota.messages) {
                problems.append("\(address) uses \(quota.bytes) bytes of \(quota.limits.bytes)")
            }
        }
    }
}
