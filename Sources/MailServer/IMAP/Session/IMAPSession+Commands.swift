import IMAPCodec
import MailAccess
import ServerRuntime
import ShardFS

// The dispatch of commands to their functions, and the checks of their states.

extension IMAPSession {
    /// The outcome of a command's function.
    enum Outcome {
        /// The command's completion, to be sent after the pending mailbox updates.
        case completed(Completion)
        /// The function has responded by itself, or the command continues with the client's next line.
        case step(IMAPSessionStep)
    }

    func run(_ tagged: IMAPTaggedCommand) async throws(IMAPFailure) -> IMAPSessionStep {
        let (tag, command) = (tagged.tag, tagged.command)
        let policy = command.policy
        forgiveBadCommands()
        owner.beginCommand()
        context = CommandContext(tag, policy)
        context?.beginTellingOwn()
        let result: Result<Completion, IMAPFailure>
        do throws(IMAPFailure) {
            try policy.state.check(state)
            switch try await carryOut(command, tag: tag) {
            case .completed(let completion): result = .success(completion)
            case .step(let step): return step
            }
            if notify != nil { notify?.ownNames.formUnion(policy.changedTree) }
        } catch {
            guard error.kind == .no || error.kind == .bad else { throw error }
            if command.pause != nil {
                try refuse(tag, error)
                return .resolve(.resume)
            }
            result = .failure(error)
        }
        try await answer(tag) { session throws(IMAPFailure) in
            try await session.sendUpdatesOfCommand()
            session.reportHeldBack()
            return session.withModSeq(try result.get())
        }
        return .proceed
    }

    private func carryOut(_ command: IMAPCommand, tag: String) async throws(IMAPFailure) -> Outcome {
        switch command {
        // Any state
        case .capability:
            respond(.capability(capabilities))
            return .completed(Completion("CAPABILITY completed"))
        case .noop: return .completed(Completion("NOOP completed"))
        case .id: return .completed(identify())
        case .logout: return .step(logOut(tag))
        // Not authenticated
        case .startTLS: return .step(try await startTLS(tag))
        case .login(let user, let password): return .step(try await login(tag, user: user, password: password))
        case .authenticate(let mechanism, let initialResponse):
            return .step(try await authenticate(tag, mechanism, initialResponse))
        // Authenticated
        case .enable(let names): return .step(try await enable(tag, names))
        case .idle: return .step(try await beginIdle())
        case .compress(let algorithm): return .step(try await compress(tag, algorithm))
        case .select(let mailbox, let readOnly, let parameters):
            return .completed(try await select(mailbox, readOnly: readOnly, parameters))
        case .create(let mailbox, let use): return .completed(try await create(mailbox, specialUse: use))
        case .delete(let mailbox): return .completed(try await delete(mailbox))
        case .rename(let from, let to): return .completed(try await rename(from, to: to))
        case .subscribe(let mailbox): return .completed(try await subscribe(mailbox))
        case .unsubscribe(let mailbox): return .completed(try await unsubscribe(mailbox))
        case .list(let command): return .completed(try await list(command))
        case .lsub(let reference, let pattern): return .completed(try await listSubscribed(reference, pattern))
        case .namespace: return .completed(namespace())
        case .status(let mailbox, let items): return .completed(try await status(of: mailbox, items))
        case .getQuota(let root): return .completed(try await quota(of: root))
        case .getQuotaRoot(let mailbox): return .completed(try await quotaRoot(of: mailbox))
        // Not for users; QUOTASET is not offered.
        case .setQuota: throw .no(.noPerm, "Quotas are set by the server's administrator")
        case .getMetadata(let mailbox, let entries, let options):
            return .completed(try await metadata(of: mailbox, entries, options))
        case .setMetadata(let mailbox, let entries): return .completed(try await setMetadata(of: mailbox, entries))
        case .notify(let command): return .completed(try await setNotify(command))
        // Selected
        case .check: return .completed(Completion("CHECK completed"))
        case .close: return .completed(try await close())
        case .unselect:
            deselect()
            return .completed(Completion("UNSELECT completed"))
        case .expunge(let uids): return .completed(try await expunge(uids))
        case .search(let command): return .completed(try await search(command))
        case .sort(let command): return .completed(try await sort(command))
        case .thread(let command): return .completed(try await thread(command))
        case .fetch(let command): return .completed(try await fetch(command))
        case .store(let command): return .completed(try await store(command))
        case .copy(let set, let byUID, let mailbox):
            return .completed(try await copy(set, byUID: byUID, to: mailbox))
        case .move(let set, let byUID, let mailbox):
            return .completed(try await move(set, byUID: byUID, to: mailbox))
        }
    }

    private func logOut(_ tag: String) -> IMAPSessionStep {
        respond(.bye(text: "Logging out"))
        respond(.status(tag: tag, .ok, text: "LOGOUT completed"))
        notify = nil
        state = .logout
        return .close
    }

    // MARK: States

    /// The account, for commands whose policy requires a login.
    func account() throws(IMAPFailure) -> IMAPAccount { try state.account() }

    /// The selected mailbox, for commands whose policy requires one.
    func selected() throws(IMAPFailure) -> SelectedMailbox { try state.selected() }

    /// Replaces the view of the selected mailbox with a newer one.
    func replaceView(_ view: SelectedMailbox) {
        if case .selected(let account, _) = state { state = .selected(account, view) }
    }

    func deselect() {
        if case .selected(let account, _) = state { state = .authenticated(account) }
        savedSearch = []
    }

    private func identify() -> Completion {
        var fields = [IMAPIDField(name: "name", value: Array("rmail".utf8))]
        if !configuration.version.isEmpty {
            fields.append(IMAPIDField(name: "version", value: Array(configuration.version.utf8)))
        }
        respond(.id(fields))
        return Completion("ID completed")
    }
}
