/// Plants violations in small histories and checks that the judge finds each, and none in sound histories.
enum SelfTest {
    private static let inbox = World.mailboxes[0]
    private static let work = World.mailboxes[1]

    private struct Case {
        var name: String
        /// A part of the expected violation; nil for a sound history.
        var expected: String?
        var actions: [Action]
        var final: FinalState
    }

    /// Returns true if the judge is right about all cases.
    static func run() -> Bool {
        var failures = 0
        for one in cases {
            var judge = Judge(History(one.actions), one.final)
            judge.run()
            let isRight =
                one.expected.map { wanted in judge.violations.contains { $0.contains(wanted) } }
                ?? judge.violations.isEmpty
            if !isRight {
                failures += 1
                say("FAILED \(one.name): \(judge.violations)")
            }
        }
        say("\(cases.count) histories, \(failures) judged wrongly")
        return failures == 0
    }

    // MARK: small histories

    private static func action(
        _ kind: Operation.Kind, _ start: UInt64, _ end: UInt64?, uids: [UInt32] = [], tokens: [String] = [],
        add: [String] = [], remove: [String] = [], target: String? = nil, _ outcome: (inout Outcome) -> Void = { _ in }
    ) -> Action {
        var operation = Operation(kind: kind, mailbox: inbox)
        operation.uids = uids
        operation.tokens = tokens
        operation.add = add
        operation.remove = remove
        operation.target = target
        var action = Action(operation: operation, start: start, source: "\(kind) at \(start)")
        if let end {
            action.end = end
            action.status = .ok
            outcome(&action.outcome)
        }
        return action
    }

    private static func append(_ uid: UInt32, _ token: String, _ start: UInt64, _ end: UInt64) -> Action {
        action(.append, start, end, tokens: [token]) { $0.uids = [uid] }
    }

    private static func flags(
        _ uid: UInt32, _ start: UInt64, _ end: UInt64?, add: [String] = [], remove: [String] = [], shows: [String] = []
    ) -> Action {
        action(.flags, start, end, uids: [uid], add: add, remove: remove) { $0.flags = [uid: shows] }
    }

    private static func final(_ messages: [(uid: UInt32, token: String, flags: [String])], gone: [UInt32: String] = [:])
        -> FinalState
    {
        var state = FinalState()
        for (uid, token, flags) in messages {
            let place = Place(mailbox: inbox, uid: uid)
            state.flags[place] = flags
            state.tokens[place] = token
        }
        for (uid, token) in gone { state.expunged[Place(mailbox: inbox, uid: uid)] = token }
        return state
    }

    private static func gone(_ uids: [UInt32], _ start: UInt64, _ end: UInt64?) -> Action {
        action(.remove, start, end, uids: uids) { $0.uids = uids }
    }

    private static func list(_ start: UInt64, _ end: UInt64, _ shown: [UInt32: [String]], highest: UInt64 = 9) -> Action
    {
        action(.list, start, end) {
            $0.flags = shown
            $0.highest = highest
        }
    }

    private static let seen = ["\\Seen"]
    private static let one = append(1, "a", 10, 20)

    private static var failed: Action {
        var action = action(.append, 30, nil, tokens: ["b"])
        action.end = 40
        action.status = .failed("over quota")
        return action
    }

    private static var cases: [Case] { presence + chains + order + flagCases }

    private static var presence: [Case] {
        [
            Case(name: "sound", actions: [one, gone([1], 30, 40)], final: final([], gone: [1: "a"])),
            Case(name: "lost", expected: "is lost", actions: [one], final: final([], gone: [1: "a"])),
            Case(name: "content lost", expected: "is nowhere", actions: [one, gone([1], 30, 40)], final: final([])),
            Case(
                name: "came back", expected: "is there", actions: [one, gone([1], 30, 40)], final: final([(1, "a", [])])
            ),
            Case(
                name: "gone twice", expected: "more than once", actions: [one, gone([1], 30, 40), gone([1], 50, 60)],
                final: final([], gone: [1: "a"])),
            Case(name: "cut off and gone", actions: [one, gone([1], 30, nil)], final: final([], gone: [1: "a"])),
            Case(
                name: "given out twice", expected: "given out twice", actions: [one, append(1, "b", 30, 40)],
                final: final([(1, "a", [])])),
            Case(name: "other content", expected: "showed", actions: [one], final: final([(1, "b", [])])),
            Case(
                name: "refused and there", expected: "failed", actions: [one, failed],
                final: final([(1, "a", []), (2, "b", [])])),
            Case(
                name: "from nowhere", expected: "came from nowhere", actions: [one],
                final: final([(1, "a", []), (2, "a", [])])),
            Case(
                name: "cut off, once", actions: [one, action(.append, 30, nil, tokens: ["b"])],
                final: final([(1, "a", []), (2, "b", [])])),
            Case(
                name: "cut off, twice", expected: "came from nowhere",
                actions: [one, action(.append, 30, nil, tokens: ["b"])],
                final: final([(1, "a", []), (2, "b", []), (3, "b", [])])),
            Case(
                name: "half a set", expected: "of the set", actions: [one, action(.set, 30, nil, tokens: ["b", "c"])],
                final: final([(1, "a", []), (2, "b", [])])),
            Case(
                name: "moved and there", expected: "is there",
                actions: [one, action(.move, 30, 40, uids: [1], target: inbox) { $0.pairs = [[1, 2]] }],
                final: final([(1, "a", []), (2, "a", [])])),
        ]
    }

    /// The contents of messages moved or copied on, some by operations without a result.
    private static var chains: [Case] {
        func move(_ start: UInt64, _ end: UInt64?, _ from: UInt32, _ to: UInt32) -> Action {
            action(.move, start, end, uids: [from], target: inbox) { $0.pairs = [[from, to]] }
        }
        return [
            Case(
                name: "moved on before the mover was answered",
                actions: [one, move(30, 60, 1, 2), move(40, 50, 2, 3), move(70, nil, 3, 4)],
                final: final([(4, "a", [])])),
            Case(
                name: "known by where it went",
                actions: [
                    action(.append, 10, nil, tokens: ["a"]), action(.copy, 30, nil, uids: [1], target: inbox),
                    move(40, 50, 1, 3),
                ],
                final: final([(2, "a", []), (3, "a", [])])),
            Case(
                name: "cut off twice in a row, and unseen between",
                actions: [action(.append, 10, nil, tokens: ["a"]), move(30, 40, 1, 2), move(50, nil, 2, 3)],
                final: final([(3, "a", [])])),
            Case(
                name: "cut off twice in a row, and two of it", expected: "came from nowhere",
                actions: [action(.append, 10, nil, tokens: ["a"]), move(30, 40, 1, 2), move(50, nil, 2, 3)],
                final: final([(3, "a", []), (4, "a", []), (5, "a", [])])),
            Case(
                name: "a content that the unseen cannot have", expected: "came from nowhere",
                actions: [
                    one, action(.append, 10, nil, tokens: ["b"]), move(30, 40, 2, 3), move(50, nil, 3, 4),
                ],
                final: final([(1, "a", []), (4, "a", [])])),
            Case(
                name: "more than were copied", expected: "came from nowhere",
                actions: [one, move(30, 60, 1, 2), move(40, 50, 2, 3), move(70, nil, 3, 4)],
                final: final([(4, "a", []), (5, "a", [])])),
            Case(
                name: "another's content in a copy", expected: "showed",
                actions: [one, move(30, 40, 1, 2)], final: final([(2, "b", [])], gone: [3: "a"])),
        ]
    }

    private static var order: [Case] {
        let there = final([(1, "a", []), (2, "b", [])])
        return [
            Case(name: "rising", actions: [one, append(2, "b", 30, 40), list(50, 60, [1: [], 2: []])], final: there),
            Case(name: "falling", expected: "do not rise", actions: [append(2, "b", 1, 5), one], final: there),
            Case(name: "beside", actions: [append(2, "b", 5, 15), one], final: there),
            Case(
                name: "missed", expected: "did not see it",
                actions: [one, append(2, "b", 30, 40), list(50, 60, [1: []])],
                final: there),
            Case(
                name: "too early", expected: "saw it",
                actions: [one, list(21, 25, [1: [], 2: []]), append(2, "b", 30, 40)],
                final: there),
            Case(
                name: "seen after it went", expected: "saw it",
                actions: [one, gone([1], 30, 40), list(50, 60, [1: []])], final: final([], gone: [1: "a"])),
            Case(
                name: "highest falls", expected: "HIGHESTMODSEQ",
                actions: [one, list(30, 40, [1: []]), list(50, 60, [1: []], highest: 8)],
                final: final([(1, "a", [])])),
            Case(
                name: "missing for a change", expected: "did not see it",
                actions: [one, action(.flags, 30, 40, uids: [1], add: seen) { $0.missing = [1] }],
                final: final([(1, "a", [])])),
        ]
    }

    private static var flagCases: [Case] {
        func end(_ flags: [String]) -> FinalState { final([(1, "a", flags)]) }
        let moved = action(.move, 50, 60, uids: [1], target: inbox) { $0.pairs = [[1, 2]] }
        return [
            Case(name: "set", actions: [one, flags(1, 30, 40, add: seen, shows: seen)], final: end(seen)),
            Case(
                name: "lost change", expected: "no order", actions: [one, flags(1, 30, 40, add: seen, shows: seen)],
                final: end([])),
            Case(name: "out of nothing", expected: "no order", actions: [one], final: end(seen)),
            Case(
                name: "the later wins", expected: "no order",
                actions: [one, flags(1, 30, 40, add: seen, shows: seen), flags(1, 50, 60, remove: seen)],
                final: end(seen)),
            Case(
                name: "either of two beside each other",
                actions: [one, flags(1, 30, 55, add: seen, shows: seen), flags(1, 50, 60, remove: seen)],
                final: end(seen)),
            Case(
                name: "cut off, late",
                actions: [one, flags(1, 30, nil, remove: seen), flags(1, 50, 60, add: seen, shows: seen)],
                final: end([])),
            Case(
                name: "not in its own answer", expected: "its answer does not show",
                actions: [one, flags(1, 30, 40, add: seen)],
                final: end(seen)),
            Case(
                name: "old flags in a list", expected: "no order",
                actions: [one, flags(1, 30, 40, add: seen, shows: seen), list(50, 60, [1: []])], final: end(seen)),
            Case(
                name: "lost by a move", expected: "no order",
                actions: [one, flags(1, 30, 40, add: seen, shows: seen), moved], final: final([(2, "a", [])])),
            Case(
                name: "kept by a move", actions: [one, flags(1, 30, 40, add: seen, shows: seen), moved],
                final: final([(2, "a", seen)])),
        ]
    }
}
