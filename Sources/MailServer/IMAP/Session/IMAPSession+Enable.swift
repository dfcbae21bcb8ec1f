import IMAPCodec
import MailAccess

// What a client has turned on. RFC 5161, RFC 9051 section 6.3.1.

/// The one place that says which dialect a connection speaks. Nothing is ever turned off again.
struct IMAPEnabledFeatures: OptionSet, Sendable, Hashable {
    let rawValue: UInt8

    /// The client follows mod-sequences (RFC 7162 section 3.1).
    static let condstore = Self(rawValue: 1)
    /// VANISHED stands for EXPUNGE (RFC 7162 section 3.2.3).
    static let qresync = Self(rawValue: 2)
    /// RFC 9051: no \Recent, ESEARCH for SEARCH, names and strings in UTF-8.
    static let rev2 = Self(rawValue: 4)
    /// RFC 9755: names and strings in UTF-8.
    static let utf8 = Self(rawValue: 8)

    /// What a client may name in ENABLE.
    static let byName: [String: Self] = [
        "CONDSTORE": .condstore, "QRESYNC": [.qresync, .condstore], "IMAP4REV2": .rev2, "UTF8=ACCEPT": .utf8,
    ]

    /// As it is told.
    static let spelling = ["IMAP4REV2": "IMAP4rev2"]
}

extension IMAPSession {
    /// The client follows mod-sequences: unasked FETCH answers hold UID and MODSEQ.
    var usesModSeq: Bool { enabled.contains(.condstore) }
    /// The client is told VANISHED and never EXPUNGE.
    var usesVanished: Bool { enabled.contains(.qresync) }
    /// The client speaks IMAP4rev2.
    var isRev2: Bool { enabled.contains(.rev2) }

    /// ENABLE; gives back how the decoder goes on.
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

    /// The client has shown that it follows mod-sequences. The first time it is told where the selected mailbox
    /// stands (RFC 7162 section 3.1).
    func enableModSeq() {
        guard enabled.insert(.condstore).inserted, case .selected(_, let view) = state else { return }
        respond(.status(tag: nil, .ok, code: .highestModSeq(view.reportedModSeq), text: "Highest mod-sequence"))
    }
}
