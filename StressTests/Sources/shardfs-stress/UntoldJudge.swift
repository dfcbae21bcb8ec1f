/// Rule 2 for messages that no result reported: each comes from an interrupted action, and no action made two.
struct UntoldJudge {
    let actions: [Action]
    let final: FinalState
    /// The action known to have made each message.
    let makers: [Place: Int]
    /// The contents of messages, as far as they were seen.
    let tokens: [Place: String]

    private struct Kind: Hashable {
        var mailbox: String
        var token: String
    }

    /// The messages that interrupted actions may have made.
    private struct Room {
        /// Actions that may each have made one message of a kind.
        var known: [Kind: [Int]] = [:]
        /// By target mailbox: the mailboxes where messages of unseen content that may have been brought into it
        /// originated. Those messages were made by interrupted actions themselves, and were gone before anything read
        /// them.
        var unseen: [String: [String]] = [:]

        /// Whether a message of unseen content that originated in `origin` can have the content of `kind`: it was made
        /// there, or it was itself brought there with unseen content.
        func isPossible(_ kind: Kind, from origin: String) -> Bool {
            var reached: Set<String> = [origin]
            var next = [origin]
            while let mailbox = next.popLast() {
                if known[Kind(mailbox: mailbox, token: kind.token)] != nil { return true }
                next += (unseen[mailbox] ?? []).filter { reached.insert($0).inserted }
            }
            return false
        }
    }

    func violations() -> [String] {
        let room = room()
        var places: [Kind: [Place]] = [:]
        for (place, token) in tokens where makers[place] == nil {
            places[Kind(mailbox: place.mailbox, token: token), default: []].append(place)
        }
        var found: [String] = []
        var unseen = room.unseen.mapValues(\.count)
        for (kind, places) in places.sorted(by: { $0.value.min()! < $1.value.min()! }) {
            let possible = room.known[kind] ?? []
            let slots = (room.unseen[kind.mailbox] ?? []).count { room.isPossible(kind, from: $0) }
            let more = places.count - possible.count
            if more > min(slots, unseen[kind.mailbox] ?? 0) {
                found.append(
                    "\(places.sorted()) with \(kind.token) came from nowhere: "
                        + "\(possible.map { actions[$0].source }) may have made one each")
            } else if more > 0 {
                unseen[kind.mailbox]? -= more
            }
            if slots == 0, possible.count == 1 { found += twice(kind, places, actions[possible[0]]) }
        }
        return found
    }

    /// Messages that a move brought here but that still exist at their source.
    private func twice(_ kind: Kind, _ places: [Place], _ action: Action) -> [String] {
        let operation = action.operation
        guard operation.kind == .move, operation.target != operation.mailbox else { return [] }
        return operation.uids.map { Place(mailbox: operation.mailbox, uid: $0) }
            .filter { tokens[$0] == kind.token && final.flags[$0] != nil }
            .map { "\($0), which \(action.source) moved, is there and is \(places.sorted()) too" }
    }

    private func room() -> Room {
        var originals: [Place: Place] = [:]
        for action in actions {
            for (place, source) in Judge.made(action) { originals[place] = source }
        }
        var room = Room()
        for (index, action) in actions.enumerated() where action.isUnknown {
            let operation = action.operation
            switch operation.kind {
            case .append, .set:
                for token in operation.tokens {
                    room.known[Kind(mailbox: operation.mailbox, token: token), default: []].append(index)
                }
            case .copy, .move, .undelete:
                let target = operation.target ?? operation.mailbox
                for uid in operation.uids {
                    var origin = Place(mailbox: operation.mailbox, uid: uid)
                    if let token = tokens[origin] {
                        room.known[Kind(mailbox: target, token: token), default: []].append(index)
                        continue
                    }
                    while let original = originals[origin] { origin = original }
                    room.unseen[target, default: []].append(origin.mailbox)
                }
            default: break
            }
        }
        return room
    }
}
