import IMAPCodec
import MailAccess
import ShardFS

// COPY and MOVE. RFC 9051 sections 6.4.7 and 6.4.8; COPYUID is RFC 4315.
//
// Messages are processed in pieces. Between pieces, other sessions get their turns, and the command ends if the client
// has disconnected: COPY then removes its copies, MOVE keeps what it has moved. No message is ever partly visible.

extension IMAPSession {
    func copy(_ set: IMAPSequenceSet, byUID: Bool, to mailbox: String) async throws(IMAPFailure) -> Completion {
        if !byUID { try await sync(expunges: false) }
        let view = try selected()
        let (uids, target) = try await sourceAndTarget(set, byUID: byUID, in: view, mailbox)
        var copied = CopyResult()
        do throws(IMAPFailure) {
            beginProgress(goal: uids.count)
            for start in stride(from: 0, to: uids.count, by: configuration.copyPiece) {
                if start > 0 { try await goOn(done: start) }
                let piece = Array(uids[start..<min(start + configuration.copyPiece, uids.count)])
                let result = try await blocking(missing: .tryCreate) { () throws(StoreError) in
                    let result = try view.mailbox.copy(piece, to: target)
                    view.copySummaries(result, to: target)
                    return result
                }
                copied.uidValidity = result.uidValidity
                copied.copied += result.copied
                // Some were expunged just now.
                if !byUID, result.copied.count < piece.count { throw .expungeIssued }
            }
        } catch {
            // All or none: RFC 9051 section 6.4.7.
            let isClean = await undo(copied, from: target, in: view)
            guard error.kind == .no, !isClean else { throw error }
            throw .no(error.code, "\(error.text); not all copies could be undone")
        }
        notify?.noteOwn(copied.copied.map(\.target.rawValue), in: target)
        return Completion("COPY completed", code: Self.copyUID(copied))
    }

    func move(_ set: IMAPSequenceSet, byUID: Bool, to mailbox: String) async throws(IMAPFailure) -> Completion {
        if !byUID { try await sync(expunges: false) }
        let view = try selected()
        let (uids, target) = try await sourceAndTarget(set, byUID: byUID, in: view, mailbox)
        var moved = CopyResult()
        var failure: IMAPFailure?
        beginProgress(goal: uids.count)
        for start in stride(from: 0, to: uids.count, by: configuration.changePiece) {
            do throws(IMAPFailure) {
                if start > 0 { try await goOn(done: start) }
                let piece = Array(uids[start..<min(start + configuration.changePiece, uids.count)])
                let (result, error) = try await blocking { () throws(StoreError) in
                    var result = CopyResult()
                    var failure: StoreError?
                    do throws(StoreError) {
                        try view.mailbox.move(piece, to: target, into: &result)
                    } catch {
                        failure = error
                    }
                    view.copySummaries(result, to: target)
                    view.summaries?.forget(result.copied.map(\.source))
                    return (result, failure)
                }
                moved.uidValidity = result.uidValidity
                moved.copied += result.copied
                if let error {
                    report(error)
                    throw IMAPFailure(error, missing: .tryCreate)
                }
            } catch {
                failure = error
                break
            }
        }
        if let failure, failure.kind != .no { throw failure }
        notify?.noteOwn(moved.copied.map(\.target.rawValue), in: target)
        // Sent before the EXPUNGEs, which the view's next update reports (RFC 6851 section 4.3), and also for messages
        // moved by a command that then fails.
        if let code = Self.copyUID(moved) { respond(.status(tag: nil, .ok, code: code, text: "Moved")) }
        if let failure {
            guard !moved.copied.isEmpty else { throw failure }
            throw .no(failure.code, "\(moved.copied.count) of \(uids.count) messages were moved: \(failure.text)")
        }
        if !byUID, moved.copied.count < uids.count { throw .expungeIssued }
        return Completion("MOVE completed")
    }

    /// Returns the messages of a set that still exist, and the target mailbox.
    private func sourceAndTarget(
        _ set: IMAPSequenceSet, byUID: Bool, in view: SelectedMailbox, _ name: String
    ) async throws(IMAPFailure) -> ([UID], Mailbox) {
        let ranges = try uidRanges(set, byUID: byUID, in: view)
        let mail = try account().mail
        let (uids, target, hasPendingExpunges) = try await blocking(missing: .tryCreate) { () throws(StoreError) in
            let target = try mail.mailbox(MailboxName(name))
            let uids = view.uids(in: ranges)
            guard !view.pendingExpunges.isEmpty else { return (uids, target, false) }
            let there = uids.filter { !view.isExpungePending($0.rawValue) }
            return (there, target, there.count < uids.count)
        }
        // A sequence number names a message that the client believes to exist (RFC 2180 section 4.4).
        if !byUID, hasPendingExpunges { throw .expungeIssued }
        return (uids, target)
    }

    /// Removes copies again, in pieces; false when some of them remain.
    private func undo(_ copies: CopyResult, from target: Mailbox, in view: SelectedMailbox) async -> Bool {
        let uids = copies.copied.map(\.target)
        var next = 0
        var tries = 0
        while next < uids.count, tries < Self.triesToUndo {
            let piece = Array(uids[next..<min(next + configuration.changePiece, uids.count)])
            do throws(IMAPFailure) {
                try await blocking { () throws(StoreError) in
                    _ = try target.remove(piece)
                    view.forgetCopies(piece, in: target, uidValidity: copies.uidValidity)
                }
                next += piece.count
            } catch {
                tries += 1
            }
        }
        return next >= uids.count
    }

    /// Failures, such as a busy mailbox or pool, after which the removal of copies is given up.
    private static let triesToUndo = 3

    private static func copyUID(_ result: CopyResult) -> IMAPResponseCode? {
        guard !result.copied.isEmpty else { return nil }
        let pairs = result.copied.sorted { $0.source < $1.source }
        return .copyUID(
            uidValidity: result.uidValidity, source: .init(ascending: pairs.map(\.source.rawValue)),
            destination: .init(ascending: pairs.map(\.target.rawValue)))
    }
}

extension SelectedMailbox {
    /// Copies the read cache entries of the sources to their copies. Blocks.
    fileprivate func copySummaries(_ result: CopyResult, to target: Mailbox) {
        summaries?.copy(result.copied, toMailbox: target.id, uidValidity: result.uidValidity)
    }

    fileprivate func forgetCopies(_ uids: [UID], in target: Mailbox, uidValidity: UInt32) {
        summaries?.forget(uids, ofMailbox: target.id, uidValidity: uidValidity)
    }
}
