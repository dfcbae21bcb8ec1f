import IMAPCodec
import ShardFS

// Telling the client what happened in its mailbox meanwhile. RFC 3501 section 5.2, RFC 7162 section 3.2.

extension IMAPSession {
    /// Brings the selected mailbox's view up to date and tells the client the news. Nothing without one.
    ///
    /// - Parameter known: changes that the client has been told of or made itself, by UID.
    func sync(expunges: Bool, known: [UInt32: ModSeq] = [:]) async throws(IMAPFailure) {
        guard case .selected(_, let view) = state else { return }
        let asked = newsAsked(expunges: expunges)
        try await take(
            blocking { () throws(StoreError) in try asked.look(at: view, known: known) }, after: view)
    }

    /// Which news a client may be told.
    struct NewsAsked: Sendable {
        /// False for a client that has chosen to hear nothing of its mailbox (RFC 5465 section 5.1).
        fileprivate let any: Bool
        fileprivate let expunges: Bool
        fileprivate let knowsRecent: Bool

        /// What the engine says now; nothing has been told yet. Blocks.
        ///
        /// - Parameter known: as for ``IMAPSession/sync(expunges:known:)``.
        func look(at view: SelectedMailbox, known: [UInt32: ModSeq]) throws(StoreError) -> News {
            guard any else { return .none }
            var new: MailboxSnapshot
            do throws(StoreError) {
                new = try view.mailbox.snapshot()
            } catch {
                if error.code == .gone { return .gone }
                throw error
            }
            var view = view
            var recentFrom = UInt32.max
            if let last = new.messages.last?.uid.rawValue, last > view.lastUID {
                recentFrom = new.recentUID
                if !view.isReadOnly, recentFrom <= last {
                    recentFrom = try view.mailbox.takeRecent()
                    new = view.mailbox.currentSnapshot()
                }
            }
            if !knowsRecent { recentFrom = .max }
            let news = view.update(to: new, expunges: expunges, known: known, recentFrom: recentFrom)
            return news.map { .seen(view, $0) } ?? .gone
        }
    }

    /// The outcome of a look.
    enum News: Sendable {
        case none
        /// The mailbox was deleted, or is another one now.
        case gone
        case seen(SelectedMailbox, ViewNews)
    }

    func newsAsked(expunges: Bool) -> NewsAsked {
        NewsAsked(any: tellsSelected, expunges: expunges, knowsRecent: !isRev2)
    }

    /// Takes in what a look at `view` found, and tells it.
    func take(_ news: News, after view: SelectedMailbox) async throws(IMAPFailure) {
        switch news {
        case .none: return
        case .gone: throw .mailboxGone
        case .seen(let newView, let news):
            replaceView(newView)
            try await tell(news, of: newView)
            if news.exists != nil { try await tellNewMessages(after: view.lastUID, in: newView) }
        }
    }

    /// As `sync`, at the end of a command, whose outcome stands even when the news must wait for the next one.
    func tellNews(expunges: Bool) async throws(IMAPFailure) {
        do throws(IMAPFailure) {
            try await sync(expunges: expunges)
        } catch {
            guard error.kind == .no else { throw error }
        }
    }

    /// At the end of a command: what happened meanwhile, unless it has been told.
    func tellNewsOfCommand() async throws(IMAPFailure) {
        defer { newsAtHand = nil }
        if let (news, view) = newsAtHand { return try await take(news, after: view) }
        if !hasToldNews { try await tellNews(expunges: mayTellExpunges) }
    }

    /// Tells UIDs that are gone, in answers of bounded length. RFC 7162 section 3.2.10.
    ///
    /// - Parameter earlier: they were gone before the client's view of the mailbox began, so no numbers change.
    func tellVanished(_ uids: [ClosedRange<UInt32>], earlier: Bool) async throws(IMAPFailure) {
        var rest = uids[...]
        while !rest.isEmpty {
            respond(.vanished(earlier: earlier, Array(rest.prefix(Self.vanishedRanges))))
            rest = rest.dropFirst(Self.vanishedRanges)
            try await flushIfLarge()
        }
    }

    /// Ranges in one VANISHED answer: a line of 8,800 octets at most, near what RFC 7162 section 4 wants of clients.
    private static let vanishedRanges = 400

    /// While expunges are held back a client must not take what it has seen for all that there was: it is told how far
    /// it got, in front of the command's end. RFC 7162 section 3.2.
    func tellHeldBack() {
        guard usesModSeq, case .selected(_, let view) = state, !view.ghosts.isEmpty else { return }
        respond(.status(tag: nil, .ok, code: .highestModSeq(view.toldModSeq), text: "Expunges are still to be told"))
    }

    /// A command's end with the mailbox's mod-sequence, when it has told of expunged messages and a client that
    /// resynchronises by them listens. RFC 7162 section 3.2.7.
    func withModSeq(_ completion: Completion) -> Completion {
        guard usesVanished, hasToldExpunges, completion.code == nil, case .selected(_, let view) = state else {
            return completion
        }
        return Completion(completion.text, code: .highestModSeq(view.toldModSeq))
    }

    private func tell(_ news: ViewNews, of view: SelectedMailbox) async throws(IMAPFailure) {
        if !news.expunged.isEmpty { hasToldExpunges = true }
        if usesVanished {
            try await tellVanished(.init(ascending: news.expunged.map(\.uid)), earlier: false)
        } else {
            // From the last to the first, so that each number is still the one that it was.
            for (number, _) in news.expunged.reversed() {
                respond(.expunge(number))
                try await flushIfLarge()
            }
        }
        if let keywords = news.keywords {
            respond(.flags(keywords.flags))
            if !view.isReadOnly {
                respond(.status(tag: nil, .ok, code: .permanentFlags(keywords.permanentFlags), text: "New keywords"))
            }
        }
        if let exists = news.exists { respond(.exists(exists)) }
        if let recent = news.recent, !isRev2 { respond(.recent(recent)) }
        for entry in news.changed where tellsFlagChanges {
            tellFlags(of: entry, in: view, withUID: tellsUIDs)
            try await flushIfLarge()
        }
    }

    /// An unasked FETCH with a message's flags.
    func tellFlags(of entry: MessageEntry, in view: SelectedMailbox, withUID: Bool) {
        let uid = entry.uid.rawValue
        var writer = IMAPFetchWriter(sequenceNumber: view.sequenceNumber(of: uid), utf8: encoder.utf8, into: &buffer)
        // A client that follows mod-sequences needs the UID beside them (RFC 7162 section 3.2.4).
        if withUID || usesModSeq { writer.write(.uid(uid), into: &buffer) }
        let flags = entry.flags.imapFlags(view.snapshot.keywords, isRecent: view.isRecent(uid))
        writer.write(.flags(flags), into: &buffer)
        if usesModSeq { writer.write(.modSeq(entry.modSeq), into: &buffer) }
        writer.end(into: &buffer)
    }

    /// The ranges of UIDs that a client's set stands for.
    ///
    /// - Throws: BAD for a sequence number beyond the last message.
    func uidRanges(
        _ set: IMAPSequenceSet, byUID: Bool, in view: SelectedMailbox
    ) throws(IMAPFailure) -> [ClosedRange<UInt32>] {
        let largest = byUID ? view.largestUID : UInt32(clamping: view.count)
        guard let ranges = set.resolved(largest: largest) else { return savedSearch }
        if !byUID, case .ranges(let asked) = set {
            // RFC 9051 section 6.4.5 wants existing numbers; what a range holds beyond the end is forgiven.
            let isBeyond = asked.contains { min($0.first, $0.last) > largest || ($0.first == 0 && largest == 0) }
            if isBeyond { throw .bad("There is no message of that number") }
        }
        return view.uidRanges(ranges, byUID: byUID)
    }
}
