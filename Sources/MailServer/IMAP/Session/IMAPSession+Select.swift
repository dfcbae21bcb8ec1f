import IMAPCodec
import MailAccess
import ServerRuntime
import ShardFS

// SELECT, EXAMINE, CLOSE and EXPUNGE. RFC 9051 sections 6.3.2, 6.4.1 and 6.4.3, RFC 4315.

extension IMAPSession {
    func select(
        _ mailbox: String, readOnly: Bool, _ parameters: IMAPSelectParameters
    ) async throws(IMAPFailure) -> Completion {
        let mail = try account().mail
        let resync = try Resync(parameters.qresync, isEnabled: usesVanished)
        // The former mailbox is closed even if the new one cannot be selected.
        if case .selected = state {
            deselect()
            respond(.status(tag: nil, .ok, code: .closed, text: "Previous mailbox closed"))
        }
        if parameters.condstore { enableModSeq() }
        let (knowsRecent, index, limits) = (!isRev2, try account().index, configuration.parseLimits)
        let view = try await blocking(inline: .reading) { () throws(StoreError) in
            let mailbox = try mail.mailbox(MailboxName(mailbox))
            var snapshot = try mailbox.snapshot()
            var recentFrom = snapshot.recentUID.rawValue
            var isReadOnly = readOnly
            if !readOnly {
                do throws(StoreError) {
                    recentFrom = try mailbox.takeRecent().rawValue
                } catch {
                    guard error.code == .readOnly else { throw error }
                    isReadOnly = true
                }
                snapshot = mailbox.currentSnapshot()
            }
            return SelectedMailbox(
                mailbox: mailbox, isReadOnly: isReadOnly, snapshot: snapshot,
                recentFrom: knowsRecent ? recentFrom : .max,
                summaries: index.map { SummaryCache($0, of: snapshot, limits: limits) })
        }
        if isRev2 { try await reportListing(of: mailbox) }
        describe(view)
        state = .selected(try account(), view)
        if let resync {
            do throws(IMAPFailure) {
                try await reportMissed(resync, in: view)
            } catch {
                // After a NO nothing is selected (RFC 9051 section 6.3.2).
                deselect()
                throw error
            }
        }
        return view.isReadOnly
            ? Completion(readOnly ? "EXAMINE completed" : "SELECT completed", code: .readOnly)
            : Completion("SELECT completed", code: .readWrite)
    }

    private func describe(_ view: SelectedMailbox) {
        let snapshot = view.snapshot
        respond(.flags(snapshot.flags))
        let permanent = view.isReadOnly ? [] : snapshot.permanentFlags
        respond(.status(tag: nil, .ok, code: .permanentFlags(permanent), text: "Permanent flags"))
        respond(.exists(UInt32(clamping: view.count)))
        if !isRev2 {
            respond(.recent(view.recentCount))
            if let unseen = snapshot.messages.firstUnseen {
                let number = UInt32(clamping: unseen + 1)
                respond(.status(tag: nil, .ok, code: .unseen(number), text: "First unseen message"))
            }
        }
        respond(.status(tag: nil, .ok, code: .uidValidity(snapshot.uidValidity), text: "UIDs are valid"))
        respond(.status(tag: nil, .ok, code: .uidNext(snapshot.uidNext.rawValue), text: "Predicted next UID"))
        respond(.status(tag: nil, .ok, code: .highestModSeq(snapshot.highestModSeq), text: "Highest mod-sequence"))
        respond(.status(tag: nil, .ok, code: .mailboxID(snapshot.mailboxID), text: "Mailbox ID"))
    }

    func close() async throws(IMAPFailure) -> Completion {
        let view = try selected()
        if !view.isReadOnly {
            do throws(IMAPFailure) {
                try await expunge(in: view, nil, reportsProgress: false)
            } catch {
                // The mailbox has since been deleted, with everything in it.
                guard error.code == .nonexistent else { throw error }
            }
        }
        // Not before: a client that is answered NO still has its mailbox.
        deselect()
        return Completion("CLOSE completed")
    }

    /// Executes EXPUNGE and UID EXPUNGE; the view's next update reports the expunges, at the end of the command.
    func expunge(_ set: IMAPSequenceSet?) async throws(IMAPFailure) -> Completion {
        let view = try selected()
        let ranges = try set.map { set throws(IMAPFailure) in try uidRanges(set, byUID: true, in: view) }
        try await expunge(in: view, ranges, reportsProgress: true)
        return Completion("EXPUNGE completed")
    }

    /// Expunges the messages marked \Deleted, in pieces.
    ///
    /// - Parameters:
    ///   - ranges: the UIDs to expunge; nil for all.
    ///   - reportsProgress: sends progress reports, and ends the command when its client is gone.
    private func expunge(
        in view: SelectedMailbox, _ ranges: [ClosedRange<UInt32>]?, reportsProgress: Bool
    ) async throws(IMAPFailure) {
        let size = configuration.changePiece
        // The first piece is expunged in the same turn that finds the marked messages.
        let marked = try await blocking { () throws(StoreError) in
            var marked: [UID] = []
            let messages = try view.mailbox.snapshot().messages
            for range in ranges ?? [1...UInt32.max] {
                messages.forEach(in: .init(range)) { if $0.flags.contains(.deleted) { marked.append($0.uid) } }
            }
            try view.expunge(Array(marked.prefix(size)))
            return marked
        }
        beginProgress(goal: marked.count)
        for start in stride(from: size, to: marked.count, by: size) {
            if reportsProgress { try await goOn(done: start) }
            let piece = Array(marked[start..<min(start + size, marked.count)])
            try await blocking { () throws(StoreError) in try view.expunge(piece) }
        }
    }
}

extension SelectedMailbox {
    /// Expunges messages and drops them from the read cache. Blocks.
    fileprivate func expunge(_ uids: [UID]) throws(StoreError) {
        let gone = try mailbox.expunge(uids)
        summaries?.forget(gone)
    }
}
