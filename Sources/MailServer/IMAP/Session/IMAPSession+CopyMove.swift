import IMAPCodec
import ShardFS

// COPY and MOVE. RFC 9051 sections 6.4.7 and 6.4.8; COPYUID is RFC 4315.

extension IMAPSession {
    func copy(_ set: IMAPSequenceSet, byUID: Bool, to mailbox: String) async throws(IMAPFailure) -> Completion {
        if !byUID { try await sync(expunges: false) }
        let view = try selected()
        let uids = try targets(set, byUID: byUID, in: view)
        let target = try await target(mailbox)
        let result = try await blocking { () throws(StoreError) -> CopyResult? in
            let result = try view.mailbox.copy(uids, to: target)
            view.copySummaries(result, to: target)
            if byUID || result.copied.count == uids.count { return result }
            // Some went this very moment. All or none: RFC 9051 section 6.4.7.
            _ = try target.remove(result.copied.map(\.target))
            return nil
        }
        guard let result else { throw .expungeIssued }
        notify?.noteOwn(result.copied.map(\.target.rawValue), in: target)
        return Completion("COPY completed", code: Self.copyUID(result))
    }

    func move(_ set: IMAPSequenceSet, byUID: Bool, to mailbox: String) async throws(IMAPFailure) -> Completion {
        _ = try writable()
        if !byUID { try await sync(expunges: false) }
        let view = try writable()
        let uids = try targets(set, byUID: byUID, in: view)
        let target = try await target(mailbox)
        let result = try await blocking { () throws(StoreError) in
            let result = try view.mailbox.move(uids, to: target)
            view.copySummaries(result, to: target)
            view.summaries?.forget(result.copied.map(\.source))
            return result
        }
        notify?.noteOwn(result.copied.map(\.target.rawValue), in: target)
        // In front of the EXPUNGEs, which the view's next update tells (RFC 6851 section 4.3).
        if let code = Self.copyUID(result) { respond(.status(tag: nil, .ok, code: code, text: "Moved")) }
        if !byUID, result.copied.count < uids.count { throw .expungeIssued }
        return Completion("MOVE completed")
    }

    private func targets(
        _ set: IMAPSequenceSet, byUID: Bool, in view: SelectedMailbox
    ) throws(IMAPFailure) -> [UID] {
        let uids = view.uids(in: try uidRanges(set, byUID: byUID, in: view))
        // By number the client means a message that it believes to be there (RFC 2180 section 4.4).
        if !byUID, uids.contains(where: { view.isGhost($0.rawValue) }) { throw .expungeIssued }
        return uids.filter { !view.isGhost($0.rawValue) }
    }

    private func target(_ name: String) async throws(IMAPFailure) -> Mailbox {
        let mail = try account().mail
        return try await blocking(missing: .tryCreate) { () throws(StoreError) in
            try mail.mailbox(MailboxName(name))
        }
    }

    private static func copyUID(_ result: CopyResult) -> IMAPResponseCode? {
        guard !result.copied.isEmpty else { return nil }
        let pairs = result.copied.sorted { $0.source < $1.source }
        return .copyUID(
            uidValidity: result.uidValidity, source: .init(ascending: pairs.map(\.source.rawValue)),
            destination: .init(ascending: pairs.map(\.target.rawValue)))
    }
}

extension SelectedMailbox {
    /// The read cache knows the copies as well as their sources. Blocks.
    fileprivate func copySummaries(_ result: CopyResult, to target: Mailbox) {
        summaries?.copy(result.copied, toMailbox: target.id, uidValidity: result.uidValidity)
    }
}
