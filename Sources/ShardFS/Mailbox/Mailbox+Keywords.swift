import DurableFiles
import Primitives

// The letters of keywords: looked up, given out, freed. What is looked up without the lock counts under it only as long
// as no letter was freed in between.

/// Keywords as letters, at one moment.
struct KeywordLetters {
    /// The names that have a letter, in lower case.
    fileprivate var known: [String: MessageFlags] = [:]
    /// Names for which there is no letter left.
    var withoutRoom: [String] = []
    /// Why no letter could be freed for them, other than that all are in use.
    fileprivate var failure: StoreError?
    /// The state's `letterGeneration`; nil when no letter is in it.
    var generation: UInt64?

    /// The bits of the names, those without a letter passed over.
    func flags(of names: [String]) -> MessageFlags {
        names.reduce([]) { $0.union(known[$1.lowercased()] ?? []) }
    }

    func flags(of named: NamedFlags) -> MessageFlags { named.flags.union(flags(of: named.keywords)) }

    /// The names without a letter, each once.
    func extra(of names: [String]) -> [String] {
        if withoutRoom.isEmpty { return [] }
        var seen: Set<String> = []
        return names.filter { known[$0.lowercased()] == nil && seen.insert($0.lowercased()).inserted }
    }
}

extension Mailbox {
    /// How often names and log may change between a look and its use.
    private static let keywordTries = 16

    /// The names of the letters as this process last saw them.
    public var keywords: KeywordTable { state.withLock { $0.status.keywords } }

    /// The flag bits of keyword names, in any case. A name that is not known gets a letter, durably, when `create`.
    ///
    /// The bits are good until the letters are given to others, which needs that no message has them.
    /// - Throws: `invalidArgument` for a name that is no keyword, `limit` when the 31 letters are taken.
    public func keywords(_ names: [String], create: Bool) throws(StoreError) -> MessageFlags {
        let letters = try letters(of: names, create: create)
        if create { try letters.checkRoom() }
        return letters.flags(of: names)
    }

    /// The letters of keywords; those that are not known get one, durably, when `create` and as long as there is room.
    /// Not under the mailbox's lock.
    /// - Throws: `invalidArgument` for a name that is no keyword.
    func letters(of names: [String], create: Bool) throws(StoreError) -> KeywordLetters {
        guard !names.isEmpty else { return KeywordLetters() }
        for name in names where !KeywordTable.isValid(name) {
            throw StoreError(.invalidArgument, "\(name.debugDescription) is not a valid keyword")
        }
        var mayFree = create
        for _ in 0..<Self.keywordTries {
            let (table, generation, taken) = state.withLock {
                ($0.status.keywords, $0.letterGeneration, $0.view.usedFlags)
            }
            var letters = KeywordLetters(table, names, generation)
            if letters.withoutRoom.isEmpty { return letters }
            var now = try readStatus().keywords
            if create, names.contains(where: { now.flag($0) == nil }) {
                try checkWritable()
                now = try updateStatus { (status) throws(StoreError) in
                    for name in names { _ = status.keywords.add(name, sparing: taken) }
                }.keywords
            }
            guard try learn(now, since: generation) else { continue }
            letters = KeywordLetters(now, names, generation)
            if letters.withoutRoom.isEmpty || !create { return letters }
            guard mayFree else { return letters }
            mayFree = false
            do throws(StoreError) {
                if try !freeLetters() { return letters }
            } catch {
                // A message goes without the keyword then; who asked for the keyword alone hears of it.
                letters.failure = error
                return letters
            }
        }
        throw StoreError(.busy, "the keywords of \(path) keep changing")
    }

    /// Names of letters that another process gave out.
    func nameKeywords(in flags: MessageFlags) {
        for _ in 0..<Self.keywordTries {
            let wanted = flags.intersection(.keywordMask)
            let (missing, generation) = state.withLock { s in
                (
                    !wanted.isSubset(of: s.status.keywords.letters.union(s.unnamed)), s.letterGeneration
                )
            }
            guard missing, let now = try? readStatus().keywords, let isLearnt = try? learn(now, since: generation)
            else { return }
            if isLearnt {
                state.withLock { s in s.unnamed.formUnion(wanted.subtracting(s.status.keywords.letters)) }
                return
            }
        }
    }

    /// Takes in names that status.json had. They may be of letters that the log, read up to here, has not freed yet:
    /// false when it has more to tell, and they have to be read again.
    private func learn(_ table: KeywordTable, since generation: UInt64) throws(StoreError) -> Bool {
        try refresh()
        return state.withLock { s in
            guard s.letterGeneration == generation else { return false }
            s.status.keywords.merge(table)
            return true
        }
    }

    /// Whether letters that were looked up are still those names'. Under the mailbox's lock.
    func isCurrent(_ generation: UInt64?) -> Bool {
        generation == nil || state.withLock { $0.letterGeneration } == generation
    }

    // MARK: freeing

    /// Frees the letters that no message has, live or recoverable. False when there are none.
    @discardableResult
    func freeLetters() throws(StoreError) -> Bool {
        try refresh()
        // The cheap looks first: most mailboxes with as many keywords use them.
        var candidates = try readStatus().keywords.letters.union(state.withLock { $0.view.usedFlags })
            .intersection(.keywordMask)
        candidates.subtract(liveFlags())
        guard !candidates.isEmpty else { return false }
        candidates.subtract(try expungedFlags())
        guard !candidates.isEmpty else { return false }
        return try locked(exclusive: true, uids: 0, records: 2) { () throws(StoreError) in
            var free = candidates.subtracting(liveFlags()).subtracting(try expungedFlags())
            // Names that no log tells of yet: a foreign hand's.
            for number in try shardNumbers() where !free.isEmpty {
                for name in try system.files.names(directory, ShardName.string(number)) {
                    if let message = MessageFileName.parse(name) { free.subtract(message.flags) }
                }
            }
            guard !free.isEmpty else { return false }
            try giveBack(free)
            return true
        }
    }

    /// Intent, change, done: who reads the done record knows no name for these letters, and looks in status.json.
    private func giveBack(_ letters: MessageFlags) throws(StoreError) {
        // A rename that a power cut takes back would bring a letter back that is another's by then.
        do throws(StoreError) {
            try syncAllNames()
            try doing("sync the mailbox directory") { () throws(Errno) in try system.sync(directory) }
        } catch {
            throw breakMailbox(error)
        }
        var record = LogRecord(
            .letters, done: false, flags: letters, token: context.tokens.take(), time: context.now)
        try write(record)
        let log = state.withLock { $0.log }
        // Both slots: nothing may be left that gives an old name to a letter with a new one.
        for _ in 0..<2 {
            var header = try log.header()
            header.keywords.remove(letters)
            try log.write(header, in: directory)
        }
        try log.syncData()
        try updateStatus { (status) throws(StoreError) in status.keywords.remove(letters) }
        record.isDone = true
        try write(record)
    }

    private func liveFlags() -> MessageFlags {
        state.withLock { $0.view.list }.shards.reduce([]) { all, shard in
            all.union(MessageFlags(rawValue: shard.columns.flags.reduce(0, |)))
        }
    }

    private func expungedFlags() throws(StoreError) -> MessageFlags {
        var flags: MessageFlags = []
        try forEachExpunged { (_, file) throws(StoreError) in flags.formUnion(file.flags) }
        return flags
    }
}

extension KeywordLetters {
    fileprivate init(_ table: KeywordTable, _ names: [String], _ generation: UInt64) {
        for name in names {
            if let flag = table.flag(name) { known[name.lowercased()] = flag } else { withoutRoom.append(name) }
        }
        self.generation = generation
    }

    /// - Throws: `limit` when a name has no letter.
    func checkRoom() throws(StoreError) {
        guard let name = withoutRoom.first else { return }
        if let failure { throw failure }
        throw StoreError(.limit, "the mailbox already has \(KeywordTable.maximum) keywords; no room for \(name)")
    }
}
