import IMAPCodec
import MailAccess
import ServerRuntime
import ShardFS

/// The failure of a command, as sent to the client.
struct IMAPFailure: Error {
    enum Kind {
        case no
        case bad
        /// The session cannot go on.
        case bye
        /// The client is gone.
        case disconnected
    }

    var kind: Kind
    var code: IMAPResponseCode?
    var text: String

    static func no(_ code: IMAPResponseCode? = nil, _ text: String) -> IMAPFailure {
        IMAPFailure(kind: .no, code: code, text: text)
    }

    static func bad(_ text: String) -> IMAPFailure { IMAPFailure(kind: .bad, code: nil, text: text) }

    static func bye(_ code: IMAPResponseCode? = nil, _ text: String) -> IMAPFailure {
        IMAPFailure(kind: .bye, code: code, text: text)
    }

    static let disconnected = IMAPFailure(kind: .disconnected, code: nil, text: "")
    static let readOnly = no(.readOnly, "The mailbox is read-only")
    /// Messages whose files cannot be read; the log names them.
    static func unreadable(_ messages: UnreadableMessages) -> IMAPFailure {
        no(.serverBug, "\(messages.count) of the messages cannot be read; the server's administrator must look at them")
    }

    static let accountDisabled = bye(nil, "The account is disabled")
    static let expungeIssued = no(.expungeIssued, "Some of the messages no longer exist")
}

extension IMAPFailure {
    /// Translates an engine error into a response; the only place that does so. RFC 5530. The texts reveal no server
    /// internals.
    ///
    /// - Parameter missing: the code for a missing mailbox: TRYCREATE where a client may create the target.
    init(_ error: StoreError, missing: IMAPResponseCode = .nonexistent) {
        self =
            switch error.code {
            case .notFound:
                .no(missing, missing == .tryCreate ? "There is no such mailbox yet" : "There is no such mailbox")
            case .exists: .no(.alreadyExists, "A mailbox with that name already exists")
            case .invalidName: .no(.cannot, "Invalid mailbox name: \(error.message)")
            case .invalidArgument: .no(.cannot, "Invalid argument: \(error.message)")
            case .limit: .no(.limit, "Limit reached: \(error.message)")
            case .overQuota: .no(.overQuota, "The account's quota would be exceeded")
            case .busy: .no(.inUse, "The mailbox is in use; try again")
            case .gone: .no(missing, "The mailbox has been deleted or replaced")
            case .needsReopen: .no(.unavailable, "The mailbox accepts no changes until it is reopened")
            case .readOnly: .no(.readOnly, "The store is read-only")
            case .noSpace: .no(.limit, "The server is out of disk space")
            case .exhausted: .no(.limit, "The mailbox has no UIDs or mod-sequences left")
            case .notAllowed: .no(.cannot, "Not allowed: \(error.message)")
            case .damaged: .no(.serverBug, "The mailbox is damaged; contact the server's administrator")
            default: .no(.unavailable, "The server cannot do that at the moment")
            }
    }

    /// Ends a session whose selected mailbox no longer exists.
    static let mailboxGone = bye(nil, "The mailbox was deleted or replaced; please reconnect")

    init(_ error: PoolError<StoreError>, missing: IMAPResponseCode = .nonexistent) {
        self =
            switch error {
            case .overloaded: .no(.unavailable, "The server is busy; try again")
            case .cancelled: .disconnected
            case .closed: .bye(.unavailable, "The server is shutting down")
            case .work(let error): IMAPFailure(error, missing: missing)
            }
    }
}

extension [IMAPFlag] {
    /// - Throws: BAD for a flag that no client may store.
    func checkStorable() throws(IMAPFailure) {
        guard allSatisfy(\.isStorable) else { throw .bad("A flag with that name cannot be stored") }
    }
}
