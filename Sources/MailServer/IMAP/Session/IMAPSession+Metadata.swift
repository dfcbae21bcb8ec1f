import IMAPCodec
import ShardFS

// GETMETADATA and SETMETADATA. RFC 5464. An empty mailbox name means the account's own annotations: to its user, the
// account is the server.

extension IMAPSession {
    func metadata(
        of mailbox: String, _ entries: [String], _ options: IMAPMetadataOptions
    ) async throws(IMAPFailure) -> Completion {
        let mail = try account().mail
        let values = try await blocking { () throws(StoreError) in
            try mail.annotations(of: mailbox.isEmpty ? nil : MailboxName(mailbox))
        }
        var longest: UInt64 = 0
        var answer: [IMAPMetadataEntry] = []
        var size = 0
        for name in Self.wanted(entries, options.depth, of: values.keys) {
            let value = values[name]
            let length = UInt64(value?.count ?? 0)
            if let limit = options.maxSize, length > limit {
                longest = max(longest, length)
                continue
            }
            answer.append(IMAPMetadataEntry(name: name, value: value))
            size += value?.count ?? 0
            if size >= configuration.outputPiece {
                respond(.metadata(mailbox: mailbox, answer))
                (answer, size) = ([], 0)
                try await flushIfLarge()
            }
        }
        if !answer.isEmpty { respond(.metadata(mailbox: mailbox, answer)) }
        return Completion("GETMETADATA completed", code: longest > 0 ? .metadataLongEntries(longest) : nil)
    }

    /// Returns the names to report, each once: with depth 0 the requested ones, missing ones included; otherwise the
    /// existing ones among these and below them, down to the depth.
    private static func wanted(
        _ entries: [String], _ depth: IMAPMetadataOptions.Depth, of names: some Collection<String>
    ) -> [String] {
        if depth == .zero {
            var seen: Set<String> = []
            return entries.filter { seen.insert($0).inserted }
        }
        return names.sorted().filter { name in
            entries.contains { entry in
                if name == entry { return true }
                guard name.utf8.starts(with: "\(entry)/".utf8) else { return false }
                return depth == .infinity || !name.utf8.dropFirst(entry.utf8.count + 1).contains(UInt8(ascii: "/"))
            }
        }
    }

    func setMetadata(of mailbox: String, _ entries: [IMAPMetadataEntry]) async throws(IMAPFailure) -> Completion {
        let mail = try account().mail
        if entries.contains(where: { $0.value?.count ?? 0 > AnnotationLimits.valueSize }) {
            throw .no(.metadataMaxSize(UInt64(AnnotationLimits.valueSize)), "The value is too long")
        }
        // RFC 5464 section 6.2.2.
        if mailbox.isEmpty, entries.contains(where: { $0.name == "/shared/admin" }) {
            throw .no(.noPerm, "That entry cannot be changed")
        }
        do throws(IMAPFailure) {
            try await blocking { () throws(StoreError) in
                try mail.annotate(
                    mailbox.isEmpty ? nil : MailboxName(mailbox), entries.map { (entry: $0.name, value: $0.value) })
            }
        } catch {
            guard error.code == .limit else { throw error }
            throw .no(.metadataTooMany, "The annotations are too many or too long")
        }
        mail.metadataChanged(
            mailbox: mailbox.isEmpty ? nil : try? MailboxName(mailbox), entries: entries.map(\.name), by: notify?.id)
        return Completion("SETMETADATA completed")
    }
}
