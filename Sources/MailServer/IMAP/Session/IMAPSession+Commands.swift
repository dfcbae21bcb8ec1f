import IMAPCodec
import ShardFS

// Which command is carried out where, and in which states.

extension IMAPSession {
    func run(_ command: IMAPTaggedCommand) async throws(IMAPFailure) -> IMAPSessionStep {
        let tag = command.tag
        forgiveBadCommands()
        // Commands that the decoder waits behind say how it goes on.
        switch command.command {
        case .startTLS:
            return try await startTLS(tag)
        case .login(let user, let password):
            return try await login(tag, user: user, password: password)
        case .authenticate(let mechanism, let initialResponse):
            return try await authenticate(tag, mechanism, initialResponse)
        case .idle:
            return try await beginIdle(tag)
        case .enable(let names):
            return try await enable(tag, names)
        case .compress(let algorithm):
            return try await compress(tag, algorithm)
        case .logout:
            respond(.bye(text: "Logging out"))
            respond(.status(tag: tag, .ok, text: "LOGOUT completed"))
            idle = nil
            notify = nil
            state = .logout
            return .close
        default:
            hasToldExpunges = false
            hasToldNews = false
            mayTellExpunges = command.command.allowsExpunge
            try await answer(tag) { session throws(IMAPFailure) in
                let result: Result<Completion, IMAPFailure>
                session.isTellingOwn = command.command.changesSelected
                defer { session.isTellingOwn = false }
                do throws(IMAPFailure) {
                    result = .success(try await session.carryOut(command.command, tag: tag))
                    if session.notify != nil { session.notify?.ownNames.formUnion(command.command.treeNames) }
                } catch {
                    guard error.kind == .no || error.kind == .bad else { throw error }
                    result = .failure(error)
                }
                try await session.tellNewsOfCommand()
                session.tellHeldBack()
                return session.withModSeq(try result.get())
            }
            return .proceed
        }
    }

    private func carryOut(_ command: IMAPCommand, tag: String) async throws(IMAPFailure) -> Completion {
        switch command {
        case .capability:
            respond(.capability(capabilities))
            return Completion("CAPABILITY completed")
        case .noop: return Completion("NOOP completed")
        case .id: return identify()
        case .select(let mailbox, let readOnly, let parameters):
            return try await select(mailbox, readOnly: readOnly, parameters)
        case .create(let mailbox, let specialUse): return try await create(mailbox, specialUse: specialUse)
        case .delete(let mailbox): return try await delete(mailbox)
        case .rename(let from, let to): return try await rename(from, to: to)
        case .subscribe(let mailbox): return try await subscribe(mailbox)
        case .unsubscribe(let mailbox): return try await unsubscribe(mailbox)
        case .list(let command): return try await list(command)
        case .lsub(let reference, let pattern): return try await listSubscribed(reference, pattern)
        case .namespace: return try namespace()
        case .status(let mailbox, let items): return try await status(of: mailbox, items)
        case .getQuota(let root): return try await quota(of: root)
        case .getQuotaRoot(let mailbox): return try await quotaRoot(of: mailbox)
        case .check:
            _ = try selected()
            return Completion("CHECK completed")
        case .close: return try await close()
        case .unselect:
            _ = try selected()
            deselect()
            return Completion("UNSELECT completed")
        case .expunge(let uids): return try await expunge(uids, tag: tag)
        case .search(let command):
            // RFC 9755 section 3: strings are UTF-8 already, a second word on it could contradict.
            if command.charset != nil, enabled.contains(.utf8) { throw .bad("No CHARSET with UTF8=ACCEPT") }
            return try await search(command, tag: tag)
        case .sort(let command): return try await sort(command, tag: tag)
        case .thread(let command): return try await thread(command, tag: tag)
        case .fetch(let command): return try await fetch(command)
        case .store(let command): return try await store(command, tag: tag)
        case .copy(let set, let byUID, let mailbox): return try await copy(set, byUID: byUID, to: mailbox, tag: tag)
        case .move(let set, let byUID, let mailbox): return try await move(set, byUID: byUID, to: mailbox, tag: tag)
        case .notify(let command): return try await setNotify(command)
        case .setQuota: return try refuseQuotaChange()
        case .getMetadata(let mailbox, let entries, let options):
            return try await metadata(of: mailbox, entries, options)
        case .setMetadata(let mailbox, let entries): return try await setMetadata(of: mailbox, entries)
        case .startTLS, .login, .authenticate, .enable, .idle, .compress, .logout:
            throw .bad("Not in this state")
        }
    }

    // MARK: States

    /// The account; commands that need one are refused before a login.
    func account() throws(IMAPFailure) -> IMAPAccount {
        switch state {
        case .authenticated(let account), .selected(let account, _): return account
        case .notAuthenticated: throw .bad("Log in first")
        case .logout: throw .disconnected
        }
    }

    /// The selected mailbox.
    func selected() throws(IMAPFailure) -> SelectedMailbox {
        if case .selected(_, let mailbox) = state { return mailbox }
        _ = try account()
        throw .bad("Select a mailbox first")
    }

    /// The selected mailbox, for a change.
    func writable() throws(IMAPFailure) -> SelectedMailbox {
        let mailbox = try selected()
        if mailbox.isReadOnly { throw .readOnly }
        return mailbox
    }

    /// Puts a newer view of the selected mailbox in place.
    func replaceView(_ view: SelectedMailbox) {
        if case .selected(let account, _) = state { state = .selected(account, view) }
    }

    func deselect() {
        if case .selected(let account, _) = state { state = .authenticated(account) }
        savedSearch = []
    }

    /// Credentials wait for TLS where TLS is configured.
    var mayLogIn: Bool { isTLS || !configuration.offersTLS }

    private func identify() -> Completion {
        var fields = [IMAPIDField(name: "name", value: Array("rmail".utf8))]
        if !configuration.version.isEmpty {
            fields.append(IMAPIDField(name: "version", value: Array(configuration.version.utf8)))
        }
        respond(.id(fields))
        return Completion("ID completed")
    }
}

extension IMAPCommand {
    /// Whether EXPUNGE or VANISHED may be told in answer to it. RFC 3501 section 7.4.1.
    var allowsExpunge: Bool {
        switch self {
        case .fetch(let command): command.byUID
        case .store(let command): command.byUID
        // Numbers in the criteria must mean what they meant (RFC 7162 section 3.2.10).
        case .search(let command): command.byUID && !command.key.hasNumbers
        case .sort(let command): command.byUID && !command.key.hasNumbers
        case .thread(let command): command.byUID && !command.key.hasNumbers
        default: true
        }
    }
}

extension IMAPSearchKey {
    /// Whether it names messages by their sequence numbers.
    fileprivate var hasNumbers: Bool {
        switch self {
        case .sequence(.ranges): true
        case .not(let key): key.hasNumbers
        case .or(let left, let right): left.hasNumbers || right.hasNumbers
        case .and(let keys): keys.contains(where: \.hasNumbers)
        default: false
        }
    }
}
