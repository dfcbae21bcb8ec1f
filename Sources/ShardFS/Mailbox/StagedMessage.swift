import COpenSSL
import DurableFiles
import Glibc
import Primitives

/// A message being received: bytes are written as they arrive, counted and hashed, without a visible name. The content
/// is the wire form (CRLF), stored byte for byte. Thread-safe, for one writer at a time.
///
/// ``finish(internalDate:)`` returns the ``FinishedMessage`` that can be appended. If dropped before, it leaves nothing
/// behind.
public final class StagedMessage: Sendable {
    /// The maximum message size in bytes: sizes are 32 bits in the change log.
    public static let maximumSize = UInt64(UInt32.max)

    private enum Phase {
        case writing(OpaquePointer?)
        case finished
        case failed(StoreError)
    }

    private struct State {
        var size: UInt64 = 0
        var phase: Phase

        /// The hash computed so far.
        /// - Throws: `invalidArgument` if the message is finished; the original error if it failed.
        func hash() throws(StoreError) -> OpaquePointer? {
            switch phase {
            case .writing(let hash): return hash
            case .finished: throw StoreError(.invalidArgument, "the message is already finished")
            case .failed(let error): throw error
            }
        }

        mutating func end(_ next: Phase) {
            if case .writing(let hash) = phase { EVP_MD_CTX_free(hash) }
            phase = next
        }
    }

    let descriptor: Int32
    /// Without unnamed files, the name and directory that hold the bytes meanwhile.
    let temporaryName: String?
    let temporaryDirectory: Int32?
    private let system: SystemCalls
    private let durability: StoreOptions.Durability
    private let canLink: Bool
    /// Nil for one that belongs to no account yet.
    let share: StagingShare?
    /// Nil for copies made under locks.
    private let room: DiskRoom?
    private let state: Locked<State>

    init(
        system: SystemCalls, descriptor: Int32, temporaryDirectory: Int32?, temporaryName: String?,
        durability: StoreOptions.Durability, canLink: Bool, share: StagingShare?, room: DiskRoom?
    ) {
        self.share = share
        self.room = room
        self.system = system
        self.canLink = canLink
        self.descriptor = descriptor
        self.temporaryDirectory = temporaryDirectory
        self.temporaryName = temporaryName
        self.durability = durability
        state = Locked(State(phase: .writing(ContentDigest.begin())))
    }

    deinit {
        state.withLock { $0.end(.finished) }
        if let temporaryName, let temporaryDirectory {
            try? system.unlink(temporaryDirectory, temporaryName)
            system.close(temporaryDirectory)
        }
        system.close(descriptor)
    }

    /// The number of bytes written so far.
    public var size: UInt64 { state.withLock { $0.size } }

    /// The bytes after which the room left on the file system is looked at again.
    private static let roomStep: UInt64 = 1 << 20

    /// Appends bytes.
    /// - Throws: `limit` above 4 GiB minus one byte, `overQuota`, `noSpace`, `system`; after an error the message cannot be
    ///   finished. `invalidArgument` if it is finished already.
    public func write(_ bytes: UnsafeRawBufferPointer) throws(StoreError) {
        guard bytes.count > 0 else { return }
        try state.withLock { (s) throws(StoreError) in
            let hash = try s.hash()
            do throws(StoreError) {
                guard s.size + UInt64(bytes.count) <= Self.maximumSize else {
                    throw StoreError(.limit, "a message cannot be larger than \(Self.maximumSize) bytes")
                }
                let size = s.size + UInt64(bytes.count)
                try share?.cover(size)
                if size / Self.roomStep > s.size / Self.roomStep { try room?.check() }
                try doing("write a message") { () throws(Errno) in try system.write(descriptor, bytes) }
                EVP_DigestUpdate(hash, bytes.baseAddress, bytes.count)
                s.size = size
            } catch {
                s.end(.failed(error))
                throw error
            }
        }
    }

    /// Gives up a message that will not be appended: the room that it takes of the account is free on return, not only
    /// with the last reference to it. Nothing more can be written.
    public func cancel() {
        state.withLock { s in
            if case .writing = s.phase {
                s.end(.failed(StoreError(.invalidArgument, "the message was given up")))
            }
        }
        share?.end()
    }

    public func write(_ bytes: [UInt8]) throws(StoreError) {
        let result: Result<Void, StoreError> = bytes.withUnsafeBytes { raw in
            do throws(StoreError) { return .success(try write(raw)) } catch { return .failure(error) }
        }
        try result.get()
    }

    /// Reads bytes back, at most `count` from `offset` on; fewer only at the end.
    public func read(at offset: UInt64, count: Int) throws(StoreError) -> [UInt8] {
        let size = size
        guard count > 0, offset < size else { return [] }
        var bytes = [UInt8](repeating: 0, count: Int(min(UInt64(count), size - offset)))
        let result: Result<Int, StoreError> = bytes.withUnsafeMutableBytes { buffer in
            do throws(StoreError) {
                return .success(
                    try doing("read a message back") { () throws(Errno) in
                        try system.read(descriptor, buffer, at: Int64(clamping: offset))
                    })
            } catch {
                return .failure(error)
            }
        }
        bytes.removeLast(bytes.count - (try result.get()))
        return bytes
    }

    /// Finishes the message: sets INTERNALDATE and makes the bytes durable, as configured by the store's durability.
    /// - Parameter internalDate: seconds since 1970 UTC, negative before; nil for now.
    /// - Throws: `invalidArgument` for a date that the file system cannot hold (ext4: before 1901, after 2446), or if it
    ///   is finished already; `noSpace`, `system`.
    public func finish(internalDate: Int64? = nil) throws(StoreError) -> FinishedMessage {
        try state.withLock { (s) throws(StoreError) in
            let hash = try s.hash()
            share?.shrink(to: s.size)
            do throws(StoreError) {
                if let internalDate {
                    try setDate(internalDate)
                }
                if durability != .none {
                    // fsync, because fdatasync need not write the date.
                    try doing("sync a message") { () throws(Errno) in try system.sync(descriptor) }
                }
            } catch {
                s.end(.failed(error))
                throw error
            }
            var bytes = [UInt8](repeating: 0, count: 32)
            EVP_DigestFinal_ex(hash, &bytes, nil)
            s.end(.finished)
            return FinishedMessage(
                staged: self, size: UInt32(s.size), digest: ContentDigest(sha256: bytes),
                date: internalDate ?? (try? system.status(descriptor))?.modifiedSeconds)
        }
    }

    private func setDate(_ date: Int64) throws(StoreError) {
        let kept = try doing("set a message's date") { () throws(Errno) in
            try system.setModified(descriptor, date)
            // Every file system holds these; others silently take the nearest date that they hold.
            return (0...Int64(Int32.max)).contains(date) ? date : try system.status(descriptor).modifiedSeconds
        }
        guard kept == date else {
            throw StoreError(.invalidArgument, "the file system cannot hold the internal date \(date)")
        }
    }

    /// Links the message under a name.
    func link(_ directory: Int32, _ name: UnsafePointer<CChar>) throws(Errno) {
        guard canLink else { return try copy(directory, name) }
        do throws(Errno) {
            if let temporaryName, let temporaryDirectory {
                try system.link(temporaryDirectory, temporaryName, directory, name)
            } else {
                try system.linkUnnamed(descriptor, directory, name)
            }
        } catch .crossDevice {
            // An account may be mounted from a different file system than the store.
            try copy(directory, name)
        }
    }
}

extension StagedMessage {
    /// Copies the bytes where they cannot be linked: written and synced under a hidden name, then renamed.
    private func copy(_ directory: Int32, _ name: UnsafePointer<CChar>) throws(Errno) {
        let hidden = ".\(Hex.encode(SystemCalls.random(UInt64.self))).tmp"
        let copy = try system.open(directory, hidden, O_RDWR | O_CREAT | O_EXCL)
        defer { system.close(copy) }
        do throws(Errno) {
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
            defer { buffer.deallocate() }
            var offset: Int64 = 0
            while true {
                let count = try system.read(descriptor, buffer, at: offset)
                if count == 0 { break }
                try system.write(copy, UnsafeRawBufferPointer(rebasing: buffer[0..<count]))
                offset += Int64(count)
            }
            try system.setModified(copy, system.status(descriptor).modifiedSeconds)
            if durability != .none { try system.sync(copy) }
            do throws(Errno) {
                _ = try system.status(directory, name)
            } catch .notFound {
                try system.rename(directory, hidden, directory, name, replacing: true)
                return
            }
            throw .exists
        } catch {
            try? system.unlink(directory, hidden)
            throw error
        }
    }
}

extension ContentDigest {
    /// Fetched once: OpenSSL 3 searches its providers on each use of EVP_sha256().
    private nonisolated(unsafe) static let sha256: OpaquePointer? = EVP_MD_fetch(nil, "SHA256", nil)

    /// Starts a SHA-256 computation.
    static func begin() -> OpaquePointer? {
        let hash = EVP_MD_CTX_new()
        EVP_DigestInit_ex(hash, sha256, nil)
        return hash
    }

    /// Takes the first 16 of SHA-256's 32 bytes.
    init(sha256 bytes: [UInt8]) {
        func word(_ start: Int) -> UInt64 {
            (0..<8).reduce(0) { $0 | UInt64(bytes[start + $1]) << UInt64(8 * $1) }
        }
        self.init(high: word(0), low: word(8))
    }
}
