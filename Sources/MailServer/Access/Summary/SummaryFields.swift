package import MIME

/// The header fields kept in summaries: those that mail programs show, sort, search and thread by.
package enum SummaryFields {
    package static let names: Set<[UInt8]> = Set(
        [
            "bcc", "cc", "content-disposition", "content-transfer-encoding", "content-type", "date",
            "disposition-notification-to", "from", "importance", "in-reply-to", "list-id", "list-post",
            "list-unsubscribe", "mail-followup-to", "mail-reply-to", "message-id", "mime-version", "newsgroups",
            "precedence", "priority", "references", "reply-to", "sender", "subject", "to", "x-mailer", "x-priority",
            "x-spam-flag", "x-spam-status", "x-universally-unique-identifier", "x-uniform-type-identifier",
        ].map { Array($0.utf8) })

    package static let selection = HeaderSelection.only(names)

    /// Whether summaries keep all fields of these names, ignoring case.
    package static func cover(_ asked: some Sequence<String>) -> Bool {
        asked.allSatisfy { name in
            names.contains(name.utf8.map { $0 >= 65 && $0 <= 90 ? $0 | 0x20 : $0 })
        }
    }
}
