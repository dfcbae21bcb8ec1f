import IMAPCodec
import MailAccess

// The features that a client has enabled. RFC 5161, RFC 9051 section 6.3.1.

/// The features enabled on a connection, which alone define its dialect. None is ever disabled again.
struct IMAPEnabledFeatures: OptionSet, Sendable, Hashable {
    let rawValue: UInt8

    /// The client follows mod-sequences (RFC 7162 section 3.1).
    static let condstore = Self(rawValue: 1)
    /// VANISHED replaces EXPUNGE (RFC 7162 section 3.2.3).
    static let qresync = Self(rawValue: 2)
    /// RFC 9051: no \Recent, ESEARCH for SEARCH, names and strings in UTF-8.
    static let rev2 = Self(rawValue: 4)
    /// RFC 9755: names and strings in UTF-8.
    static let utf8 = Self(rawValue: 8)

    /// The features by their names in ENABLE.
    static let byName: [String: Self] = [
        "CONDSTORE": .condstore, "QRESYNC": [.qresync, .condstore], "IMAP4REV2": .rev2, "UTF8=ACCEPT": .utf8,
    ]

    /// Spellings in the ENABLED response, where they differ from the upper-case name.
    static let spelling = ["IMAP4REV2": "IMAP4rev2"]
}

extension IMAPSession {
    /// The client follows mod-sequences: unsolicited FETCH responses carry UID and MODSEQ.
    var usesModSeq: Bool { enabled.contains(.condstore) }
    /// Expunges are reported as VANISHED, never as EXPUNGE.
    var usesVanished: Bool { enabled.contains(.qresync) }
    /// The client speaks IMAP4rev2.
    var isRev2: Bool { enabled.contains(.rev2) }

    /// Executes ENABLE and returns the decoder's next step.
    func enable(_ tag: String, _ names: [String]) async throws(IMAPFailure) -> IMAPSessionStep {
        try await answer(tag) { session throws(IMAPFailure) in
            session.enable(names)
            return Completion("ENABLE completed")
        }
        guard encoder.utf8 else { return .resolve(.resume) }
        var options = configuration.decoderOptions(authenticated: true)
        options.acceptsUTF8 = true
        return .resolve(.resume, options: options)
    }

    private func enable(_ names: [String]) {
        var reported: [String] = []
        var wanted: IMAPEnabledFeatures = []
        for name in names {
            guard let feature = IMAPEnabledFeatures.byName[name] else { continue }
            wanted.formUnion(feature)
            let spelling = IMAPEnabledFeatures.spelling[name] ?? name
            if !reported.contains(spelling) { reported.append(spelling) }
        }
        respond(.enabled(reported))
        if wanted.contains(.condstore) { enableModSeq() }
        enabled.formUnion(wanted)
        if !wanted.isDisjoint(with: [.rev2, .utf8]) { encoder.utf8 = true }
        if wanted.contains(.rev2), case .selected(let account, var view) = state {
            view.forgetRecent()
            state = .selected(account, view)
        }
    }

    /// Notes that the client follows mod-sequences. The first time, sends the HIGHESTMODSEQ of the selected mailbox
    /// (RFC 7162 section 3.1).
    func enableModSeq() {
        guard enabled.insert(.condstore).inserted, case .selected(_, let view) = state else { return }
        respond(.status(tag: nil, .ok, code: .highestModSeq(view.reportedModSeq), text: "Highest mod-sequence"))
    }
}
