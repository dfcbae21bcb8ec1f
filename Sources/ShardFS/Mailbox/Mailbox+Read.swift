import COpenSSL
import DurableFiles
import Glibc
import Primitives

/// A snapshot of a mailbox: a value, cheap to keep.
public struct MailboxSnapshot: Sendable {
    public let messages: MessageList
    public let uidValidity: UInt32
    /// The next UID to be assigned (RFC 9051, 2.3.1.1); 4,294,967,295 if none is left.
    public let uidNext: UID
    public let highestModSeq: ModSeq
    /// The oldest mod-sequence since which the log can list all expunges.
    public let oldestAnswerable: ModSeq
    /// The first UID that has not been reported as \Recent to any session yet.
    public let recentUID: UID
    public let keywords: KeywordTable
    /// The keywords beyond those with a letter.
    public let extraKeywords: ExtraKeywords
    public let mailboxID: String
    public let specialUse: String?
}

/// An open message file: immutable, and readable even if the message is expunged meanwhile.
public final class MessageFile: Sendable {
    public let uid: UID
    /// RFC822.SIZE in bytes.
    public let size: UInt32
    /// INTERNALDATE, seconds since 1970 UTC.
    public let internalDate: Int64
    /// A descriptor for sendfile(2); valid for the lifetime of this object.
    public let descriptor: Int32
    let identity: FileIdentity
    private let system: SystemCalls

    private init(_ system: SystemCalls, _ descriptor: Int32, _ uid: UID, _ status: FileStatus) {
        self.system = system
        self.descriptor = descriptor
        self.uid = uid
        size = UInt32(clamping: status.size)
        internalDate = status.modifiedSeconds
        identity = status.identity
    }

    deinit { system.close(descriptor) }

    /// Opens a message file; nil if there is none.
    static func open(
        _ system: SystemCalls, _ directory: Int32, _ name: UnsafePointer<CChar>, uid: UID
    ) throws(StoreError) -> MessageFile? {
        let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK
        guard let (fd, status) = try system.files.openRegular(directory, name, flags, "message \(uid)") else {
            return nil
        }
        return MessageFile(system, fd, uid, status)
    }

    /// Reads into `buffer` from `offset`; fewer bytes than requested only at the end of the message.
    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StoreError) -> Int {
        try doing("read message \(uid)") { () throws(Errno) in try system.read(descriptor, buffer, at: offset) }
    }

    /// Reads at most `count` bytes from `offset`.
    public func read(at offset: Int64 = 0, count: Int? = nil) throws(StoreError) -> [UInt8] {
        let left = max(0, Int64(size) - offset)
        let wanted = Int(min(left, Int64(count ?? Int(size))))
        var failure: StoreError?
        let bytes = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, filled in
            do throws(StoreError) {
                filled = try read(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
            } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Reads the whole message and computes its digest.
    public func digest() throws(StoreError) -> ContentDigest {
        let hash = ContentDigest.begin()
        defer { EVP_MD_CTX_free(hash) }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
        defer { buffer.deallocate() }
        var offset: Int64 = 0
        while true {
            let count = try read(into: buffer, at: offset)
            if count == 0 { break }
            EVP_DigestUpdate(hash, buffer.baseAddress, count)
            offset += Int64(count)
        }
        var bytes = [UInt8](repeating: 0, count: 32)
        EVP_DigestFinal_ex(hash, &bytes, nil)
        return ContentDigest(sha256: bytes)
    }
}

extension Mailbox {
    /// Returns the current state of the mailbox, including changes by other processes.
    public func snapshot() throws(StoreError) -> MailboxSnapshot {
        try refresh()
        return currentSnapshot()
    }

    /// Returns the state last seen by this process, without a system call unless a keyword's name is unknown.
    public func currentSnapshot() -> MailboxSnapshot {
        // Again when a letter without a name came in between; names that nobody has are not looked for twice.
        for _ in 0..<4 {
            nameKeywords(in: state.withLock { $0.view.usedFlags })
            let isNamed = state.withLock { s in
                s.view.usedFlags.intersection(.keywordMask).isSubset(of: s.status.keywords.letters.union(s.unnamed))
            }
            if isNamed { break }
        }
        return state.withLock { s in
            s.view.locateShards()
            return MailboxSnapshot(
                messages: s.view.list, uidValidity: s.status.uidValidity,
                uidNext: UID(UInt32(clamping: s.view.nextUID)), highestModSeq: s.view.highestModSeq,
                oldestAnswerable: s.view.oldestAnswerable, recentUID: UID(s.view.recentUID),
                keywords: s.status.keywords, extraKeywords: s.extraKeywords,
                mailboxID: id, specialUse: s.status.specialUse.flatMap { $0.isEmpty ? nil : $0 })
        }
    }

    /// Opens a message; also one expunged since, while its file is kept in `.expunged/`.
    /// - Throws: `notFound`; `damaged` if something that is no message has its name.
    public func open(_ uid: UID) throws(StoreError) -> MessageFile {
        var damage: StoreError?
        // A rename between lookup and open is possible each time, so try several times before giving up.
        for attempt in 0..<10 {
            let known = state.withLock { $0.view.list.entry(of: uid)?.flags }
            if attempt < 2, let known, let file = try open(uid, known, &damage) { return file }
            if attempt == 0 {
                // The log tells renames and expunges without a listing.
                try? catchUp(to: .max)
                if known != nil { continue }
            }
            if known == nil, let file = try openExpungedMessage(uid) { return file }
            if let shard = try shard(uid.shard), let now = try shard.lookUp(uid.rawValue, lastKnown: nil) {
                if let file = try MessageFile.open(system, shard.descriptor, now.name, uid: uid) { return file }
                continue
            }
            if let file = try openExpungedMessage(uid) { return file }
            if let damage { throw damage }
        }
        throw StoreError(.notFound, "there is no message \(uid)")
    }

    private func open(
        _ uid: UID, _ flags: MessageFlags, _ damage: inout StoreError?
    ) throws(StoreError) -> MessageFile? {
        guard let shard = try shard(uid.shard) else { return nil }
        do throws(StoreError) {
            return try MessageFileName.with(uid.rawValue, flags) { (name) throws(StoreError) in
                try MessageFile.open(system, shard.descriptor, name, uid: uid)
            }
        } catch {
            // Something that is no message may stand under the canonical name.
            guard error.code == .damaged, error.errno == nil else { throw error }
            damage = error
            return nil
        }
    }

    private func openExpungedMessage(_ uid: UID) throws(StoreError) -> MessageFile? {
        let validity = state.withLock { $0.status.uidValidity }
        func open() throws(StoreError) -> MessageFile? {
            guard let path = expungedIndex.withLock({ $0.path(of: uid, validity) }) else { return nil }
            return try MessageFile.open(system, directory, path, uid: uid)
        }
        if let file = try open() { return file }
        // Not under the lock of the index: two that list at once only do it twice.
        var index = expungedIndex.withLock { $0 }
        let trustsTimes = options.shared != true
        guard try index.refresh(system, directory, validity, trustsTimes: trustsTimes) else { return nil }
        expungedIndex.withLock { $0 = index }
        return try open()
    }

    /// Returns the digest (EMAILID) and save time (SAVEDATE, seconds since 1970 UTC) from the log; an unknown digest is
    /// computed from the file, without a save time.
    public func details(_ entry: MessageEntry) throws(StoreError) -> (digest: ContentDigest, saved: Int64?) {
        let log = state.withLock { $0.log }
        if let record = try log.record(at: Int(entry.record)), record.uid == entry.uid.rawValue,
            record.digest != .unknown
        {
            return (record.digest, record.time > 0 ? record.time : nil)
        }
        return (try open(entry.uid).digest(), nil)
    }

    /// Returns the UIDs expunged after `modSeq`, ascending; nil if the log does not reach back that far, in which case
    /// every missing UID of the client's counts as expunged (RFC 7162, 5.1).
    public func expunged(since modSeq: ModSeq) throws(StoreError) -> [UID]? {
        try refresh()
        let (log, view) = state.withLock { ($0.log, $0.view) }
        guard modSeq >= view.oldestAnswerable else { return nil }
        var found: Set<UInt32> = []
        _ = try log.scan(from: 0, to: view.applied) { record, place in
            let at = record.modSeq != 0 ? record.modSeq : log.base + UInt64(place) + 1
            if record.isDone, record.kind == .expunge, at > modSeq { found.insert(record.uid) }
        }
        return found.sorted().map { UID($0) }
    }

    /// Takes the \Recent messages for a session: UIDs from the returned one up to, not including, `uidNext` are recent
    /// in that session only. Writes a log record, not synced, only if the value changes (RFC 3501, 2.3.2).
    public func takeRecent() throws(StoreError) -> UID {
        if state.withLock({ $0.isUnrecovered }) { try checkWritable() }
        try refresh()
        func standing() -> (recent: UID, next: UID) {
            state.withLock { (UID($0.view.recentUID), UID(UInt32(clamping: $0.view.nextUID))) }
        }
        let now = standing()
        if now.recent >= now.next || options.readOnly { return now.recent }
        return try locked(exclusive: true, uids: 0, records: 1) { () throws(StoreError) in
            let (recent, next) = standing()
            if recent < next { try write(LogRecord(.recent, done: true, uid: next.rawValue, time: context.now)) }
            return recent
        }
    }
}
