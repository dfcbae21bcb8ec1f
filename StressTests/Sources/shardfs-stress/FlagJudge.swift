/// Rule 8: the flags of a message are the result of some order of its changes that respects real time.
///
/// A change sets or clears each flag regardless of its old value, so flags are judged one by one: a value read must
/// come from a change that was not certainly replaced before the reading began, that is, by another change that began
/// after it had ended. A change without a result may have happened at any time, or not at all.
struct FlagJudge {
    /// A set of flags by their index in `names`.
    private typealias Mask = UInt32

    private struct Change {
        var start: UInt64
        var end: UInt64
        var sets: Mask
        var clears: Mask
    }

    /// Flags that a reading may show as set, and as clear.
    private struct Possible {
        var set: Mask = 0
        var clear: Mask = 0
    }

    /// The source of a message's first flags.
    private enum Origin {
        case given(Mask)
        case copied(Place, start: UInt64, end: UInt64)
        case anyhow
    }

    let actions: [Action]
    let final: FinalState
    private(set) var violations: [String] = []

    private var changes: [Place: [Change]] = [:]
    private var origins: [Place: Origin] = [:]

    private static let names = World.systemFlags.map(\.name) + World.keywords
    private static let all = Mask(1) << Mask(names.count) - 1
    private static let bits = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, Mask(1) << Mask($0)) })

    init(actions: [Action], final: FinalState) {
        self.actions = actions
        self.final = final
    }

    private static func mask(_ flags: [String]) -> Mask { flags.reduce(0) { $0 | (bits[$1] ?? 0) } }

    mutating func run() {
        collect()
        for (place, flags) in final.flags { read(place, flags, from: .max, to: .max, "at the end") }
        for action in actions where action.isOK {
            let operation = action.operation
            guard [.list, .flags, .conditional].contains(operation.kind) else { continue }
            for (uid, flags) in action.outcome.flags {
                let place = Place(mailbox: operation.mailbox, uid: uid)
                read(place, flags, from: action.start, to: action.end, action.source)
                if operation.kind != .list { readOwn(place, flags, action) }
            }
        }
    }

    private mutating func collect() {
        for action in actions {
            let operation = action.operation
            if operation.kind == .flags || operation.kind == .conditional {
                let sets = Self.mask(operation.add)
                let change = Change(
                    start: action.start, end: action.end, sets: sets, clears: Self.mask(operation.remove) & ~sets)
                for uid in operation.uids where action.isUnknown || action.outcome.flags[uid] != nil {
                    changes[Place(mailbox: operation.mailbox, uid: uid), default: []].append(change)
                }
            }
            for (place, source) in Judge.made(action) {
                switch operation.kind {
                case .append, .set: origins[place] = .given(Self.mask(operation.add))
                case .undelete:
                    // The worker may not have known a keyword's name yet.
                    let isClear = !operation.add.contains { $0.hasPrefix("keyword-") }
                    origins[place] = isClear ? .given(Self.mask(operation.add)) : .anyhow
                default:
                    if let source { origins[place] = .copied(source, start: action.start, end: action.end) }
                }
            }
        }
    }

    /// The flags that a reading between `from` and `to` may show.
    private func possible(_ place: Place, from: UInt64, to: UInt64, depth: Int = 0) -> Possible {
        let all = changes[place] ?? []
        // Only a change that ended before the reading has certainly replaced anything.
        let over = all.filter { $0.end < from }
        var possible = Possible()
        for change in all where change.start <= to {
            let replaced = over.reduce(Mask(0)) { $1.start > change.end ? $0 | $1.sets | $1.clears : $0 }
            possible.set |= change.sets & ~replaced
            possible.clear |= change.clears & ~replaced
        }
        // The first flags come before every change: a change needs an existing message.
        let kept = Self.all & ~over.reduce(Mask(0)) { $0 | $1.sets | $1.clears }
        if kept == 0 { return possible }
        var first = Possible(set: Self.all, clear: Self.all)
        switch origins[place] ?? .anyhow {
        case .given(let flags): first = Possible(set: flags, clear: ~flags)
        case .copied(let source, let start, let end) where depth < 200:
            first = self.possible(source, from: start, to: end, depth: depth + 1)
        case .copied, .anyhow: break
        }
        possible.set |= first.set & kept
        possible.clear |= first.clear & kept
        return possible
    }

    private mutating func read(_ place: Place, _ flags: [String], from: UInt64, to: UInt64, _ reader: String) {
        let shown = Self.mask(flags)
        let possible = possible(place, from: from, to: to)
        let wrong = (shown & ~possible.set | ~shown & ~possible.clear) & Self.all
        for flag in Self.names where wrong & (Self.bits[flag] ?? 0) != 0 {
            violations.append(
                "\(place) is \(flags.contains(flag) ? "" : "not ")\(flag) \(reader), "
                    + "which no order of its changes gives"
            )
        }
    }

    /// Judges the flags in a change's own result: its own value, unless another change ran concurrently.
    private mutating func readOwn(_ place: Place, _ flags: [String], _ own: Action) {
        let shown = Self.mask(flags)
        let sets = Self.mask(own.operation.add)
        let other = sets & ~shown | Self.mask(own.operation.remove) & ~sets & shown
        if other == 0 { return }
        var beside: Mask = 0
        for change in changes[place] ?? [] where change.end > own.start && change.start < own.end {
            beside |= change.sets & shown | change.clears & ~shown
        }
        for flag in Self.names where other & ~beside & (Self.bits[flag] ?? 0) != 0 {
            violations.append("\(own.source) changed \(flag) of \(place), and its answer does not show it")
        }
    }
}
