/// Checks the recorded history of all workers against the final state (reliability rules 1 to 6, 8 to 11, 13 to 15).
struct Judge {
    let actions: [Action]
    let final: FinalState
    private(set) var violations: [String] = []

    /// The action known to have made each message.
    private(set) var makers: [Place: Int] = [:]
    /// Actions that certainly, or possibly, removed a message.
    private var takers: [Place: [(action: Int, certain: Bool)]] = [:]
    private var tokens: [Place: String] = [:]

    init(_ history: History, _ final: FinalState) {
        actions = history.actions
        self.final = final
        violations = history.violations + final.problems
    }

    mutating func run() {
        collect()
        learnTokens()
        judgePresence()
        violations += UntoldJudge(actions: actions, final: final, makers: makers, tokens: tokens).violations()
        judgeOrder()
        judgeLists()
        var flags = FlagJudge(actions: actions, final: final)
        flags.run()
        violations += flags.violations
    }

    private mutating func wrong(_ text: String) { violations.append(text) }

    // MARK: makers and takers

    /// Places made by a completed action, with the place of the original if there is one.
    static func made(_ action: Action) -> [(place: Place, source: Place?)] {
        guard action.isOK else { return [] }
        let operation = action.operation
        switch operation.kind {
        case .append, .set: return action.outcome.uids.map { (Place(mailbox: operation.mailbox, uid: $0), nil) }
        case .undelete:
            return action.outcome.uids.map { uid in
                (
                    Place(mailbox: operation.mailbox, uid: uid),
                    operation.uids.first.map { Place(mailbox: operation.mailbox, uid: $0) }
                )
            }
        case .copy, .move:
            return action.outcome.pairs.map { pair in
                (Place(mailbox: operation.target ?? "", uid: pair[1]), Place(mailbox: operation.mailbox, uid: pair[0]))
            }
        default: return []
        }
    }

    private mutating func collect() {
        for (index, action) in actions.enumerated() {
            for (place, _) in Self.made(action) {
                if let other = makers.updateValue(index, forKey: place) {
                    wrong("\(place) was given out twice: \(actions[other].source) and \(action.source)")
                }
            }
            if [.append, .set].contains(action.operation.kind), action.isOK,
                action.outcome.uids.count != action.operation.tokens.count
            {
                wrong("\(action.source) was answered with \(action.outcome.uids.count) UIDs")
            }
            guard [.expunge, .remove, .move].contains(action.operation.kind) else { continue }
            let gone = Set(action.operation.kind == .move ? action.outcome.pairs.map { $0[0] } : action.outcome.uids)
            for uid in action.operation.uids {
                let place = Place(mailbox: action.operation.mailbox, uid: uid)
                if action.isUnknown {
                    takers[place, default: []].append((index, false))
                } else if gone.contains(uid) {
                    takers[place, default: []].append((index, true))
                }
            }
        }
    }

    private mutating func learn(_ place: Place, _ token: String, _ source: String) {
        if let known = tokens.updateValue(token, forKey: place), known != token {
            wrong("\(place) showed \(known) and then \(token) (\(source))")
        }
    }

    private mutating func learnTokens() {
        for (place, token) in final.tokens { learn(place, token, "at the end") }
        for (place, token) in final.expunged { learn(place, token, "in .expunged") }
        for action in actions where action.isOK {
            let operation = action.operation
            if operation.kind == .append || operation.kind == .set {
                for (uid, token) in zip(action.outcome.uids, operation.tokens) {
                    learn(Place(mailbox: operation.mailbox, uid: uid), token, action.source)
                }
            }
            if operation.kind == .read, let token = action.outcome.token {
                learn(Place(mailbox: operation.mailbox, uid: operation.uids[0]), token, action.source)
            }
        }
        learnAlongCopies()
    }

    /// Infers contents along copies, in both directions, since a copy equals its original. The order of
    /// completion is meaningless: a message can be moved on before the move that brought it there completes.
    private mutating func learnAlongCopies() {
        var alike: [Place: [(place: Place, source: String)]] = [:]
        for action in actions {
            for (place, original) in Self.made(action) {
                guard let original else { continue }
                alike[place, default: []].append((original, action.source))
                alike[original, default: []].append((place, action.source))
            }
        }
        var reported = Array(tokens.keys)
        while let place = reported.popLast() {
            guard let token = tokens[place] else { continue }
            for (other, source) in alike[place] ?? [] {
                if tokens[other] == nil { reported.append(other) }
                learn(other, token, source)
            }
        }
    }

    // MARK: rules 1, 4, 9, 14

    private mutating func judgePresence() {
        let everywhere = Set(final.tokens.values).union(final.expunged.values)
        for (place, index) in makers {
            let taken = takers[place] ?? []
            if final.flags[place] == nil {
                if taken.isEmpty { wrong("\(place), made by \(actions[index].source), is lost") }
            } else if let taker = taken.first(where: \.certain) {
                wrong("\(place), taken away by \(actions[taker.action].source), is there")
            }
        }
        for (place, taken) in takers where taken.count(where: \.certain) > 1 {
            wrong("\(place) was taken away more than once: \(taken.map { actions[$0.action].source })")
        }
        for action in actions where [.append, .set].contains(action.operation.kind) {
            let found = action.operation.tokens.filter { everywhere.contains($0) }
            switch action.status {
            case .ok:
                // Nothing is purged here, so the bytes must exist somewhere.
                if found.count < action.operation.tokens.count { wrong("the content of \(action.source) is nowhere") }
            case .failed(let code):
                if !found.isEmpty { wrong("\(action.source) failed (\(code)), and \(found) are there") }
            case .unknown:
                if !found.isEmpty, found.count < action.operation.tokens.count {
                    wrong("of the set of \(action.source) only \(found) are there")
                }
            }
        }
    }

    // MARK: rules 5 and 6

    private mutating func judgeOrder() {
        for mailbox in World.mailboxes {
            var made: [(action: Action, uids: [UInt32])] = []
            for action in actions {
                let uids = Self.made(action).filter { $0.place.mailbox == mailbox }.map(\.place.uid)
                if !uids.isEmpty { made.append((action, uids)) }
            }
            let rising = made.map {
                (start: $0.action.start, end: $0.action.end, low: $0.uids.min()!, high: $0.uids.max()!)
            }
            for problem in Self.unordered(rising) { wrong("UIDs of \(mailbox) do not rise: \(problem)") }
            let lists = actions.filter { $0.operation.kind == .list && $0.operation.mailbox == mailbox && $0.isOK }
            let numbers = lists.map { (start: $0.start, end: $0.end, value: $0.outcome.highest ?? 0) }
            for problem in Self.falling(numbers) { wrong("HIGHESTMODSEQ of \(mailbox) went down: \(problem)") }
            let recents = actions.filter { $0.operation.kind == .recent && $0.operation.mailbox == mailbox && $0.isOK }
                .map { (start: $0.start, end: $0.end, value: UInt64($0.outcome.uids.first ?? 0)) }
            for problem in Self.falling(recents) { wrong("the first recent UID of \(mailbox) went down: \(problem)") }
        }
    }

    /// Pairs where one ended before the other began but has a UID that is not lower.
    static func unordered(_ made: [(start: UInt64, end: UInt64, low: UInt32, high: UInt32)]) -> [String] {
        sweep(made.map { ($0.start, $0.end, UInt64($0.low), UInt64($0.high)) }, strictly: true)
    }

    static func falling(_ seen: [(start: UInt64, end: UInt64, value: UInt64)]) -> [String] {
        sweep(seen.map { ($0.start, $0.end, $0.value, $0.value) }, strictly: false)
    }

    private static func sweep(_ all: [(start: UInt64, end: UInt64, low: UInt64, high: UInt64)], strictly: Bool)
        -> [String]
    {
        let starts = all.sorted { $0.start < $1.start }
        let ends = all.sorted { $0.end < $1.end }
        var problems: [String] = []
        var at = 0
        var highest: UInt64 = 0
        for one in starts {
            while at < ends.count, ends[at].end < one.start {
                highest = max(highest, ends[at].high)
                at += 1
            }
            if strictly ? one.low <= highest && highest > 0 : one.low < highest {
                problems.append("\(one.low) after \(highest)")
            }
        }
        return problems
    }

    // MARK: rules 9, 10 and 11

    /// The times when a message may have existed, must have, may have gone, and must have gone.
    private struct Life {
        var madeFrom: UInt64
        var thereFrom: UInt64
        var takenFrom: UInt64
        var goneFrom: UInt64
    }

    private mutating func judgeLists() {
        for mailbox in World.mailboxes {
            let mine = makers.filter { $0.key.mailbox == mailbox }
            let looks = actions.filter {
                $0.operation.mailbox == mailbox && [.list, .flags, .conditional, .read].contains($0.operation.kind)
            }
            var lifes: [UInt32: Life] = [:]
            for (place, index) in mine {
                let taken = takers[place] ?? []
                lifes[place.uid] = Life(
                    madeFrom: actions[index].start, thereFrom: actions[index].end,
                    takenFrom: taken.map { actions[$0.action].start }.min() ?? .max,
                    goneFrom: taken.filter(\.certain).map { actions[$0.action].end }.min() ?? .max)
            }
            for look in looks {
                switch look.operation.kind {
                case .list where look.isOK:
                    for (uid, life) in lifes {
                        judge(look, life, uid, isThere: look.outcome.flags[uid] != nil, mailbox)
                    }
                    for flags in look.outcome.flags.values where flags.contains(where: { $0.hasPrefix("keyword-") }) {
                        wrong("\(look.source) shows a keyword without a name")
                    }
                case .flags, .conditional:
                    for uid in look.operation.uids where look.isOK {
                        guard let life = lifes[uid] else { continue }
                        let isThere = !look.outcome.missing.contains(uid)
                        judge(look, life, uid, isThere: isThere, mailbox)
                    }
                case .read:
                    if case .failed = look.status, let uid = look.operation.uids.first, let life = lifes[uid] {
                        // An expunged message may still be readable; an existing one must be.
                        judge(look, life, uid, isThere: false, mailbox)
                    }
                default: break
                }
            }
        }
    }

    private mutating func judge(
        _ look: Action, _ life: Life, _ uid: UInt32, isThere: Bool, _ mailbox: String
    ) {
        if !isThere, life.thereFrom < look.start, life.takenFrom > look.end {
            wrong(
                "message \(uid) of \(mailbox) was there all the time, and \(look.source) (\(look.operation.kind)) "
                    + "did not see it"
            )
        }
        if isThere, life.goneFrom < look.start || life.madeFrom > look.end {
            wrong("message \(uid) of \(mailbox) was not there, and \(look.source) (\(look.operation.kind)) saw it")
        }
    }
}
