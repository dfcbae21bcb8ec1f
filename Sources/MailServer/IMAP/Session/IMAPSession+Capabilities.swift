import IMAPCodec
import MailAccounts

// The capabilities, each announced in the states in which it works. RFC 9051 section 6.1.1.

extension IMAPSession {
    var capabilities: [String] {
        var names = ["IMAP4rev1", "IMAP4rev2", "LITERAL+", "SASL-IR", "ID", "ENABLE"]
        switch state {
        case .notAuthenticated, .logout:
            if mayLogIn {
                names += SASLMechanism.allCases.map { "AUTH=\($0.rawValue)" }
            } else {
                names += ["STARTTLS", "LOGINDISABLED"]
            }
        case .authenticated, .selected:
            names.append("APPENDLIMIT=\(configuration.maxLiteralSize)")
            if !isCompressed { names.append("COMPRESS=DEFLATE") }
            names += Self.extensions
        }
        return names.filter { !configuration.suppressedCapabilities.hides($0) && !suppressedCapabilities.hides($0) }
    }

    /// Whether the client may log in now: where TLS is configured, only under TLS. AUTH= is hidden until then.
    var mayLogIn: Bool { isTLS || !configuration.offersTLS }

    /// The capabilities hidden from the logged-in account.
    private var suppressedCapabilities: CapabilityNames {
        switch state {
        case .authenticated(let account), .selected(let account, _): account.suppressedCapabilities
        case .notAuthenticated, .logout: CapabilityNames([])
        }
    }

    /// Extensions announced after login, in alphabetical order.
    private static let extensions = [
        "BINARY",
        "CHILDREN",
        "CONDSTORE",
        "CREATE-SPECIAL-USE",
        "ESEARCH",
        "ESORT",
        "I18NLEVEL=1",
        "IDLE",
        "INPROGRESS",
        "LIST-EXTENDED",
        "LIST-STATUS",
        "METADATA",
        "MOVE",
        "MULTIAPPEND",
        "NAMESPACE",
        "NOTIFY",
        "OBJECTID",
        "PARTIAL",
        "PREVIEW",
        "QRESYNC",
        "QUOTA",
        "QUOTA=RES-STORAGE",
        "QUOTA=RES-MESSAGE",
        "REPLACE",
        "SAVEDATE",
        "SEARCHRES",
        "SORT",
        "SORT=DISPLAY",
        "SPECIAL-USE",
        "STATUS=SIZE",
        "THREAD=ORDEREDSUBJECT",
        "THREAD=REFERENCES",
        "UIDPLUS",
        "UNSELECT",
        "UTF8=ACCEPT",
        "WITHIN",
    ]
}
