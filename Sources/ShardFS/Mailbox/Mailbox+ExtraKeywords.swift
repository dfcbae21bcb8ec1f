import DurableFiles
import Primitives

// Keywords beyond the letters, in keywords.json: read when a record tells of a change, published under the exclusive
// lock between intent and done record.

extension Mailbox {
    /// How often the file may change while it is read.
    private static let keywordFileTries = 16

    // MARK: reading

    /// The keywords without a letter as this process last saw them.
    public var extraKeywords: ExtraKeywords { state.withLock { $0.extraKeywords } }

    /// Reads keywords.json if it is not known yet, or if records just applied tell of changes. A file that cannot be
    /// read now is tried again by the next reader.
    func readKeywords(_ s: inout State) {
        for _ in 0..<Self.keywordFileTries {
            guard s.view.keywordsChanged else { return }
            do throws(StoreError) {
                let file = try system.files.keywordFile(in: directory)
                s.view.keywordsChanged = false
                // Whatever change the file has, its intent is in the log by now; with its done record it is read again.
                if file != nil { _ = try read(&s, to: .max) }
                s.show(file ?? KeywordFile())
            } catch {
                s.view.keywordsChanged = true
                return
            }
        }
    }

    /// The same after own records, for which nothing is read.
    func takeKeywords(_ s: inout State) {
        guard s.view.keywordsChanged else { return }
        guard let file = s.publishedKeywords else { return readKeywords(&s) }
        s.view.keywordsChanged = false
        s.show(file)
    }

    // MARK: writing

    /// The keywords of this mailbox's messages, to be changed and published. Exclusive lock.
    /// - Throws: if the file cannot be read; one that is damaged counts as missing.
    func extraKeywordsToChange() throws(StoreError) -> ExtraKeywords {
        if state.withLock({ $0.view.keywordsChanged }) {
            var file = KeywordFile()
            do throws(StoreError) { file = try system.files.keywordFile(in: directory) ?? file } catch {
                guard error.code == .damaged, error.errno == nil else { throw error }
                options.notice?("\(KeywordFile.fileName) of \(path) of \(context.name) is lost: \(error.message)")
            }
            let now = file
            state.withLock { s in
                s.view.keywordsChanged = false
                s.show(now)
            }
        }
        return state.withLock { s in
            var table = s.keywordFile.keywords[s.status.uidValidity] ?? ExtraKeywords()
            // A UID not given out yet has none, whatever a file put here by hand says.
            if !table.isEmpty { table.clip(below: UInt32(clamping: s.view.nextUID)) }
            return table
        }
    }

    /// The file with these keywords of the mailbox's messages, without messages that are gone. Exclusive lock.
    /// - Parameter appending: messages that are not in the mailbox yet.
    /// - Throws: `limit` if it would be too large.
    func keywordFile(
        with table: ExtraKeywords, _ change: KeywordFile.Change? = nil, appending: [UInt32] = []
    ) throws(StoreError) -> KeywordFile {
        var (file, validity, isPruned) = state.withLock { ($0.keywordFile, $0.status.uidValidity, $0.keywordsPruned) }
        file.keywords[validity] = table
        file.change = change
        if !isPruned || !file.fits(validity) { try prune(&file, besides: appending) }
        guard file.fits(validity) else {
            throw StoreError(
                .limit,
                "the mailbox already has \(KeywordTable.maximum) keywords and \(KeywordFile.maximumKeywords) more")
        }
        return file
    }

    /// Removes messages that are neither in the mailbox nor in `.expunged/`.
    private func prune(_ file: inout KeywordFile, besides appending: [UInt32]) throws(StoreError) {
        let (list, validity) = state.withLock { ($0.view.list, $0.status.uidValidity) }
        var there = [validity: appending]
        try forEachExpunged { (_, message) throws(StoreError) in
            there[message.uidValidity, default: []].append(message.uid)
        }
        list.forEach { there[validity, default: []].append($0.uid.rawValue) }
        for key in there.keys { there[key]?.sort() }
        file.keep(there)
        state.withLock { $0.keywordsPruned = true }
    }

    /// Publishes keywords.json, durably; this process shows it with the done records. Exclusive lock.
    func publish(_ file: KeywordFile) throws(StoreError) {
        try context.files.publish(file.serialized(), as: KeywordFile.fileName, in: directory)
        state.withLock { s in
            s.publishedKeywords = file
            s.keywordFile = file
        }
    }

    /// Publishes the keywords of messages being appended, as far as there is room. After their intents, before their
    /// names. Exclusive lock.
    func publishKeywords(of messages: [(uid: UInt32, names: [String])]) throws(StoreError) {
        guard let first = messages.first(where: { !$0.names.isEmpty })?.uid else { return }
        var before = try extraKeywordsToChange()
        before.clip(below: messages[0].uid)
        let all = messages.reduce(0) { $0 + $1.names.count }
        // As many as fit, by halves: no message is refused for its keywords.
        var count = all
        while count > 0 {
            var table = before
            var left = count
            for (uid, names) in messages {
                for name in names.prefix(left) { table.insert(name, uid) }
                left -= min(left, names.count)
            }
            do throws(StoreError) {
                try publish(keywordFile(with: table, appending: messages.map(\.uid)))
                break
            } catch {
                guard error.code == .limit else { throw error }
                count /= 2
            }
        }
        if count < all {
            options.notice?(
                "\(path) of \(context.name) lacks room for keywords of message \(first): \(all - count) are left out"
            )
        }
    }
}

extension Mailbox.State {
    /// Takes in a file; what it tells of an open intent's change is not shown yet.
    mutating func show(_ file: KeywordFile) {
        keywordFile = file
        extraKeywords = file.shown(status.uidValidity, pending: view.pending)
    }
}
