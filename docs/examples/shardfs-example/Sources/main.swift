// Keeps mail with nothing but ShardFS: creates a mailbox, appends two messages, flags one and lists them.
// Usage: shardfs-example DIRECTORY
import ShardFS

func example(in root: String) throws {
    let store = try Store.open(root)
    let alice = try store.createAccount(AccountAddress(parsing: "alice@example.com"))
    let name = try MailboxName("Lists/Grüße")
    do { try alice.create(name) } catch {
        guard error.code == .exists else { throw error }
    }
    let mailbox = try alice.mailbox(name)

    // The simple case: the whole message in memory. When `append` returns, the message survives a power cut.
    let one = try mailbox.append(bytes: Array("Subject: one\r\n\r\nHello.\r\n".utf8))
    print("added one as", one.uid)

    // A message that arrives in pieces goes to an unnamed file; `append` names it.
    let incoming = try mailbox.stage()
    for piece in ["Subject: two\r\n", "\r\nHello.\r\n"] { try incoming.write(Array(piece.utf8)) }
    let two = try mailbox.append(incoming.finish())
    print("added two as", two.uid)

    // Flags are letters in the file name, and so are the first 31 keywords; `NamedFlags` takes any number of them, and
    // `snapshot.extraKeywords` has the others.
    let newsletter = try mailbox.keywords(["$Newsletter"], create: true)
    if let last = try mailbox.snapshot().messages.last {
        _ = try mailbox.changeFlags([last.uid], .add([.seen, newsletter]))
    }

    let snapshot = try mailbox.snapshot()
    snapshot.messages.forEach { entry in
        var line = "\(name) \(entry.uid) \(entry.size)"
        if entry.flags.contains(.seen) { line += " \\Seen" }
        for keyword in snapshot.keywords.names(in: entry.flags) { line += " \(keyword)" }
        print(line)
    }
    if let first = snapshot.messages.first {
        print(String(decoding: try mailbox.open(first.uid).read(count: 12), as: UTF8.self))
    }
    try store.close()
}

guard CommandLine.arguments.count == 2 else { fatalError("usage: shardfs-example DIRECTORY") }
try example(in: CommandLine.arguments[1])
