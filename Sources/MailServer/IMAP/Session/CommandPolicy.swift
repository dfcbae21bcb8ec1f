import IMAPCodec
import MailAccess
import ShardFS

/// The decisions made about a command before it is executed: the state that it requires, and the updates that may be
/// sent in response to it.
///
/// **Only this type decides when EXPUNGE or VANISHED may be sent**: in response to a command, as its
/// ``allowsExpunge`` says; during IDLE, in response to IDLE; between commands, only to a client that asked NOTIFY for
/// SELECTED rather than SELECTED-DELAYED (RFC 5465 section 5), see ``IMAPSession/pushChanges()``.
struct CommandPolicy: Equatable, Sendable {
    /// The session state that a command requires. RFC 9051 section 3.
    enum RequiredState: Sendable {
        case any
        case notAuthenticated
        /// Logged in; a mailbox may be selected as well.
        case authenticated
        case selected
        /// A mailbox is selected, and not read-only.
        case writable
    }

    var state: RequiredState
    /// EXPUNGE or VANISHED may be sent in response. RFC 3501 section 7.4.1.
    var allowsExpunge: Bool
    /// The command changes the selected mailbox; its changes are reported even if NOTIFY excludes others.
    var changesSelected: Bool
    /// Names of mailboxes to be created, renamed, deleted, subscribed or unsubscribed, as the client wrote them.
    var changedNames: [String]

    init(
        _ state: RequiredState, allowsExpunge: Bool = true, changesSelected: Bool = false, changedNames: [String] = []
    ) {
        self.state = state
        self.allowsExpunge = allowsExpunge
        self.changesSelected = changesSelected
        self.changedNames = changedNames
    }
}

extension IMAPCommand {
    var policy: CommandPolicy {
        switch self {
        case .capability, .noop, .logout, .id: CommandPolicy(.any)
        // Login requires TLS where it is offered, so in later states STARTTLS reports by itself why it is refused.
        case .startTLS: CommandPolicy(.any)
        case .authenticate, .login: CommandPolicy(.notAuthenticated)
        case .enable, .select, .list, .lsub, .namespace, .status, .idle, .getQuota, .getQuotaRoot, .setQuota,
            .getMetadata, .setMetadata, .notify, .compress:
            CommandPolicy(.authenticated)
        case .create(let name, _), .delete(let name), .subscribe(let name), .unsubscribe(let name):
            CommandPolicy(.authenticated, changedNames: [name])
        case .rename(let from, let to): CommandPolicy(.authenticated, changedNames: [from, to])
        case .check, .close, .unselect, .copy: CommandPolicy(.selected)
        case .expunge, .move: CommandPolicy(.writable, changesSelected: true)
        // Their sequence numbers must keep their meaning until the command ends.
        case .fetch(let command):
            CommandPolicy(.selected, allowsExpunge: command.byUID, changesSelected: true)
        case .store(let command):
            CommandPolicy(.writable, allowsExpunge: command.byUID, changesSelected: true)
        // The same holds for sequence numbers in the criteria (RFC 7162 section 3.2.10).
        case .search(let command):
            CommandPolicy(.selected, allowsExpunge: command.byUID && !command.program.hasNumbers)
        case .sort(let command):
            CommandPolicy(.selected, allowsExpunge: command.byUID && !command.program.hasNumbers)
        case .thread(let command):
            CommandPolicy(.selected, allowsExpunge: command.byUID && !command.program.hasNumbers)
        }
    }
}

extension IMAPAppendMessage {
    /// The policy of APPEND or REPLACE, whose messages follow the command.
    var policy: CommandPolicy {
        replaces == nil ? CommandPolicy(.authenticated) : CommandPolicy(.writable, changesSelected: true)
    }
}

extension CommandPolicy.RequiredState {
    /// Refuses a command that is not allowed in this state.
    ///
    /// - Throws: BAD in the wrong state, NO for a read-only mailbox, `disconnected` after LOGOUT.
    func check(_ state: IMAPSession.State) throws(IMAPFailure) {
        switch self {
        case .any: break
        case .notAuthenticated: guard case .notAuthenticated = state else { throw .bad("Already logged in") }
        case .authenticated: _ = try state.account()
        case .selected: _ = try state.selected()
        case .writable: if try state.selected().isReadOnly { throw .readOnly }
        }
    }
}

extension IMAPSession.State {
    func account() throws(IMAPFailure) -> IMAPAccount {
        switch self {
        case .authenticated(let account), .selected(let account, _): return account
        case .notAuthenticated: throw .bad("Log in first")
        case .logout: throw .disconnected
        }
    }

    func selected() throws(IMAPFailure) -> SelectedMailbox {
        if case .selected(_, let mailbox) = self { return mailbox }
        _ = try account()
        throw .bad("Select a mailbox first")
    }
}

extension CommandPolicy {
    /// The canonical names of the changed mailboxes and of those above them.
    var changedTree: Set<String> {
        var all: Set<String> = []
        for name in changedNames {
            guard var level = try? MailboxName(name.utf8.last == UInt8(ascii: "/") ? String(name.dropLast()) : name)
            else { continue }
            all.insert(level.description)
            while let parent = level.parent {
                all.insert(parent.description)
                level = parent
            }
        }
        return all
    }
}

extension IMAPSearchProgram {
    /// Whether it identifies messages by their sequence numbers.
    fileprivate var hasNumbers: Bool {
        keys.contains { if case .sequence(.ranges) = $0 { true } else { false } }
    }
}
