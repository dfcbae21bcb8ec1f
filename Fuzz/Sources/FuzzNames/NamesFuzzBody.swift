@testable import ShardFS

// The body of the fuzz target, run on each input. The store's tests run it too, on the seed corpus.

/// Reads an input as every kind of name that the store finds on disk or receives; a parsed name must survive being
/// written and read again.
func fuzzNames(_ bytes: [UInt8]) {
    checkMessageName(bytes)
    checkWrittenMessageName(bytes)
    checkShardName(bytes)
    checkMailboxName(bytes)
    checkDirectoryName(bytes)
    checkAddress(bytes)
    checkExpungedName(bytes)
    _ = UIDValidityCounter.parse(bytes)
}

private func checkMessageName(_ bytes: [UInt8]) {
    guard let parsed = bytes.withUnsafeBufferPointer({ MessageFileName.parse($0) }) else { return }
    precondition(parsed.uid > 0, "a message has no UID")
    let name = MessageFileName.string(UID(parsed.uid), parsed.flags)
    precondition(name.utf8.elementsEqual(bytes) == parsed.isCanonical, "canonical is what would be written")
    let again = MessageFileName.parse(name)
    precondition(again?.uid == parsed.uid && again?.flags == parsed.flags, "a message's name changes its meaning")
    precondition(again?.isCanonical == true, "the written name is not canonical")
}

/// Checks a name composed of a number and flags, rather than parsed.
private func checkWrittenMessageName(_ bytes: [UInt8]) {
    guard bytes.count >= 12 else { return }
    let uid = bytes[0..<4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    let flags = MessageFlags(rawValue: bytes[4..<12].reduce(UInt64(0)) { $0 << 8 | UInt64($1) } & (1 << 62 - 1))
    guard uid > 0 else { return }
    let parsed = MessageFileName.parse(MessageFileName.string(UID(uid), flags))
    precondition(parsed == .init(uid: uid, flags: flags, isCanonical: true), "a written name is read otherwise")
    let shard = UID(uid).shard
    precondition(ShardName.parse(ShardName.string(shard)) == shard, "a shard's name is read otherwise")
    precondition(UID.inShard(shard).contains(uid), "a UID is not in its shard")
    let expunged = ExpungedName(ExpungedName.string(uid, UID(uid), flags))
    precondition(expunged?.uid == uid && expunged?.uidValidity == uid && expunged?.flags == flags, "expunged otherwise")
}

private func checkShardName(_ bytes: [UInt8]) {
    guard let number = bytes.withUnsafeBufferPointer({ ShardName.parse($0) }) else { return }
    precondition(ShardName.string(number).utf8.elementsEqual(bytes), "a shard has two names")
    let uids = UID.inShard(number)
    precondition(UID(uids.lowerBound).shard == number && UID(uids.upperBound).shard == number, "UIDs of another shard")
}

private func checkMailboxName(_ bytes: [UInt8]) {
    guard let name = try? MailboxName(utf8: bytes) else { return }
    precondition(name.description.utf8.count <= MailboxName.maximumBytes, "a mailbox name is too long")
    precondition(name.components.count <= MailboxName.maximumLevels, "a mailbox name is too deep")
    precondition((try? MailboxName(name.description)) == name, "a mailbox name changes when it is read again")
    var parent: MailboxName?
    for component in name.components {
        let directory = MailboxDirectoryName.encode(component)
        checkSafe(directory)
        precondition(
            MailboxDirectoryName.decode(directory.utf8)?.utf8.elementsEqual(component.utf8) == true,
            "a level's directory stands for another level")
        let found = MailboxName(directoryName: directory.utf8, in: parent)
        precondition(found?.leaf.utf8.elementsEqual(component.utf8) == true, "a mailbox's directory is not found")
        precondition(found?.parent == parent, "a mailbox has another parent")
        parent = found
    }
    precondition(parent == name, "the way to a mailbox leads to another")
}

/// Checks that a directory name is not hidden, leads nowhere else and does not collide with the layout's names.
private func checkSafe(_ directory: String) {
    let bytes = Array(directory.utf8)
    precondition(!bytes.isEmpty && bytes.count <= MailboxName.maximumDirectoryBytes, "no length of a name")
    precondition(bytes[0] != 0x2E && !bytes.contains(0x2F) && !bytes.contains { $0 < 0x20 || $0 == 0x7F }, "unsafe")
    precondition(ShardName.parse(directory) == nil, "a mailbox looks like a shard")
    precondition(!MailboxDirectoryName.reserved.contains(directory), "a mailbox has a name of the layout's")
}

private func checkDirectoryName(_ bytes: [UInt8]) {
    _ = MailboxDirectoryName.decode(bytes)
    guard let name = MailboxName(directoryName: bytes, in: nil) else { return }
    precondition(name.directoryName.utf8.elementsEqual(bytes), "a mailbox has two directories")
    checkSafe(name.directoryName)
}

private func checkAddress(_ bytes: [UInt8]) {
    guard let address = try? AccountAddress(parsing: String(decoding: bytes, as: UTF8.self)) else { return }
    for part in [address.local, address.domain] {
        precondition(!part.utf8.isEmpty && part.utf8.first != 0x2E && !part.utf8.contains(0x2F), "an unsafe address")
    }
    precondition(address.local.utf8.count <= AccountAddress.maximumLocalBytes, "a user's name is too long")
    precondition(address.domain.utf8.count <= AccountAddress.maximumDomainBytes, "a domain is too long")
    let again = try? AccountAddress(parsing: address.description)
    precondition(
        again?.local.utf8.elementsEqual(address.local.utf8) == true
            && again?.domain.utf8.elementsEqual(address.domain.utf8) == true,
        "an address changes when it is read again")
}

private func checkExpungedName(_ bytes: [UInt8]) {
    guard let file = ExpungedName(String(decoding: bytes, as: UTF8.self)) else { return }
    let again = ExpungedName(ExpungedName.string(file.uidValidity, UID(file.uid), file.flags))
    precondition(
        again?.uidValidity == file.uidValidity && again?.uid == file.uid && again?.flags == file.flags,
        "an expunged message's name changes its meaning")
}
