import IMAPCodec
import MailAccess
import ShardFS

// SORT and THREAD, and their UID forms. RFC 5256, RFC 5267 section 3, RFC 5957.

extension IMAPSession {
    func sort(_ command: IMAPSortCommand) async throws(IMAPFailure) -> Completion {
        let options = command.returnOptions
        let criteria = SearchCriteria(program: command.program, charset: command.charset, saves: options?.save == true)
        let table = try await find(
            criteria,
            into: SortTable(
                command.criteria, maximumMessages: configuration.maxSortedMessages,
                maximumTextBytes: configuration.maxSortedTextBytes))
        let (numbers, uids) = try await blocking { () throws(StoreError) in try table.sorted() }
        if let options {
            let answer = SearchAnswer(options: options, numbers: numbers, uids: uids)
            try await respond(answer, to: command.program, byUID: command.byUID)
        } else {
            let modSeq = try await highestModSeq(of: uids, for: command.program)
            try await respond(.sort(command.byUID ? uids : numbers, modSeq: modSeq), ofNumbers: uids.count)
        }
        return Completion("SORT completed")
    }

    func thread(_ command: IMAPThreadCommand) async throws(IMAPFailure) -> Completion {
        let algorithm: ThreadCollector.Algorithm
        switch command.algorithm {
        case "REFERENCES": algorithm = .references
        case "ORDEREDSUBJECT": algorithm = .orderedSubject
        default: throw .bad("Unknown threading algorithm")
        }
        let limits = ThreadCollector.Limits(
            messages: configuration.maxThreadedMessages, messageIDs: configuration.maxThreadedMessageIDs)
        let collector = try await find(
            SearchCriteria(program: command.program, charset: command.charset),
            into: ThreadCollector(algorithm, limits: limits))
        let byUID = command.byUID
        let tokens = try await blocking { () throws(StoreError) in collector.tokens(byUID: byUID) }
        try await respond(.thread(tokens), ofNumbers: tokens.count)
        return Completion("THREAD completed")
    }
}
