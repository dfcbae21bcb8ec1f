import IMAPCodec
import ServerRuntime
import ShardFS

// STATUS, and the quota of RFC 9208.

extension IMAPSession {
    func status(of mailbox: String, _ items: [IMAPStatusItem]) async throws(IMAPFailure) -> Completion {
        let mail = try account().mail
        try prepareStatus(items)
        let limit = UInt64(configuration.maxLiteralSize)
        let values = try await blocking(inline: .reading) { () throws(StoreError) in
            try mail.mailbox(MailboxName(mailbox)).statusValues(items, appendLimit: limit)
        }
        respond(.mailboxStatus(mailbox: mailbox, values))
        return Completion("STATUS completed")
    }

    /// Checks the requested items; asking for HIGHESTMODSEQ shows that the client follows mod-sequences.
    ///
    /// - Throws: BAD for RECENT in IMAP4rev2, which does not have it.
    func prepareStatus(_ items: [IMAPStatusItem]) throws(IMAPFailure) {
        if isRev2, items.contains(.recent) { throw .bad("IMAP4rev2 has no RECENT") }
        if items.contains(.highestModSeq) { enableModSeq() }
    }

    /// Reports the one quota root of an account, whose name is empty. An account without a limit has none: a response
    /// must name at least one resource (RFC 9208 section 5.1).
    func quota(of root: String) async throws(IMAPFailure) -> Completion {
        let usage = try await quotaUsage()
        guard root.isEmpty, !usage.isEmpty else { throw .no(.nonexistent, "There is no such quota root") }
        respond(.quota(root: "", usage))
        return Completion("GETQUOTA completed")
    }

    func quotaRoot(of mailbox: String) async throws(IMAPFailure) -> Completion {
        let usage = try await quotaUsage()
        // The mailbox need not exist: the client may ask before creating it (RFC 9208 section 4.1.2).
        do throws(StoreError) { _ = try MailboxName(mailbox) } catch { throw IMAPFailure(error) }
        respond(.quotaRoot(mailbox: mailbox, roots: usage.isEmpty ? [] : [""]))
        if !usage.isEmpty { respond(.quota(root: "", usage)) }
        return Completion("GETQUOTAROOT completed")
    }

    /// Returns the limited resources: STORAGE in units of 1024 octets, MESSAGE (RFC 9208 section 5).
    private func quotaUsage() async throws(IMAPFailure) -> [IMAPQuotaUsage] {
        let mail = try account().mail
        let (bytes, messages, limits) = try await blocking { () throws(StoreError) in try mail.quota() }
        // The protocol's numbers have 63 bits, the ledger's 64 (RFC 9051 section 9).
        let largest = UInt64(Int64.max)
        var usages: [IMAPQuotaUsage] = []
        if limits.bytes > 0 {
            usages.append(
                IMAPQuotaUsage(
                    resource: "STORAGE", usage: bytes / 1024 + (bytes % 1024 == 0 ? 0 : 1), limit: limits.bytes / 1024))
        }
        if limits.messages > 0 {
            usages.append(
                IMAPQuotaUsage(resource: "MESSAGE", usage: min(messages, largest), limit: min(limits.messages, largest))
            )
        }
        return usages
    }
}
