import DurableFiles
import Glibc
import Primitives

/// A directory in whose file system messages are written before they have a name.
struct StagingArea {
    /// The directory of temporary names, used without unnamed files.
    static let directoryName = ".tmp"

    let system: SystemCalls
    let directory: Int32
    let capabilities: Set<Capability>
    let durability: StoreOptions.Durability
    var share: StagingShare?
    var room: DiskRoom?

    func makeMessage() throws(StoreError) -> StagedMessage {
        if capabilities.contains(.unnamedFiles) {
            let fd = try doing("create an unnamed file") { () throws(Errno) in
                try system.openUnnamed(directory)
            }
            return message(fd)
        }
        do { try system.makeDirectory(directory, Self.directoryName) } catch .exists {} catch {
            throw StoreError.system(error, "create \(Self.directoryName)")
        }
        let at = try doing("open \(Self.directoryName)") { () throws(Errno) in
            try system.openDirectory(directory, Self.directoryName)
        }
        let name = "\(SystemCalls.processID).\(Hex.encode(SystemCalls.random(UInt64.self)))"
        do {
            return message(try system.open(at, name, O_RDWR | O_CREAT | O_EXCL), in: at, name)
        } catch {
            system.close(at)
            throw StoreError.system(error, "create a staging file")
        }
    }

    private func message(_ fd: Int32, in temporaryDirectory: Int32? = nil, _ name: String? = nil) -> StagedMessage {
        StagedMessage(
            system: system, descriptor: fd, temporaryDirectory: temporaryDirectory, temporaryName: name,
            durability: durability, canLink: capabilities.contains(.hardLinks), share: share, room: room)
    }
}

extension Mailbox {
    /// Starts a message in the file system of this mailbox. It may be appended to this or any other mailbox of the
    /// store, also to several.
    ///
    /// Until it is appended or dropped, it takes part of the account's quota together with all others that this process
    /// is receiving.
    /// - Parameter size: bytes of the message, as far as they are known: their room is taken at once.
    /// - Throws: `overQuota`, `noSpace`, `system`.
    public func stage(size: UInt64 = 0) throws(StoreError) -> StagedMessage {
        try prepareStaging()
        return try stagingFile(share: StagingShare(context, size: size), room: context.room)
    }

    /// Starts a message that replaces another before either is appended: it needs room only for what it is larger.
    public func stage(inPlaceOf other: StagedMessage) throws(StoreError) -> StagedMessage {
        try prepareStaging()
        return try stagingFile(share: other.share, room: context.room)
    }

    private func prepareStaging() throws(StoreError) {
        try checkWritable()
        context.purgeIfMuchIsKept()
        try context.room.makeRoom()
        try context.prepareQuota()
    }

    /// A file for a message, for callers that may hold locks.
    func stagingFile(share: StagingShare? = nil, room: DiskRoom? = nil) throws(StoreError) -> StagedMessage {
        try StagingArea(
            system: system, directory: directory, capabilities: context.capabilities, durability: options.durability,
            share: share, room: room
        ).makeMessage()
    }
}

extension Store {
    /// Starts a message whose mailboxes are not known yet. It may be appended to any mailbox of the store, also to
    /// several.
    public func stage() throws(StoreError) -> StagedMessage {
        try checkWritable()
        try room.makeRoom()
        return try StagingArea(
            system: system, directory: directory, capabilities: capabilities, durability: options.durability,
            room: room
        ).makeMessage()
    }
}
