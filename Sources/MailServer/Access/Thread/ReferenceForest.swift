import ServerRuntime

/// Messages and their references as parents and children: step 1 of the REFERENCES algorithm (RFC 5256 section 3).
///
/// Messages are added one by one in mailbox order. A message id without a message so far is a dummy, which becomes the
/// message when it is added.
package struct ReferenceForest: Sendable {
    /// Sentinel: no parent, or no message.
    package static let none: Int32 = -1

    /// The parent of each node.
    package private(set) var parents: [Int32] = []
    /// The message of each node; `none` for a dummy.
    package private(set) var messages: [Int32] = []
    /// The node of each message.
    package private(set) var nodes: [Int32] = []
    private var childCounts: [Int32] = []
    private var byID: [Fingerprint: Int32] = [:]
    /// Remaining steps for detecting loops.
    private var steps = Self.maximumSteps

    /// Ordinary mail takes almost none of them: a node without children cannot close a loop. If deep and tangled mail
    /// uses them up, further links are left out, but the server never hangs.
    private static let maximumSteps = 100_000_000
    /// Steps that are counted together as work of a turn.
    private static let counted = 4_096

    /// The number of messages and dummies.
    package var count: Int { parents.count }

    /// Adds the next message.
    ///
    /// - Parameters:
    ///   - id: nil without a valid one; an id that an earlier message has counts as none.
    ///   - references: the oldest ancestor first.
    package mutating func add(_ id: Fingerprint?, references: [Fingerprint]) {
        let node = takeNode(id)
        var last = Self.none
        for reference in references {
            let next = self.node(of: reference)
            if last != Self.none, parents[Int(next)] == Self.none, mayLink(next, to: last) { link(next, to: last) }
            last = next
        }
        unlink(node)
        if last != Self.none, mayLink(node, to: last) { link(node, to: last) }
    }

    private mutating func takeNode(_ id: Fingerprint?) -> Int32 {
        let message = Int32(nodes.count)
        var node = Int32(parents.count)
        if let id, let known = byID[id], messages[Int(known)] == Self.none {
            node = known
            messages[Int(node)] = message
        } else {
            // The first message with an id keeps it.
            if let id, byID[id] == nil { byID[id] = node }
            append(message: message)
        }
        nodes.append(node)
        return node
    }

    private mutating func node(of id: Fingerprint) -> Int32 {
        if let known = byID[id] { return known }
        let node = Int32(parents.count)
        byID[id] = node
        append(message: Self.none)
        return node
    }

    private mutating func append(message: Int32) {
        parents.append(Self.none)
        messages.append(message)
        childCounts.append(0)
    }

    /// Whether `parent` is neither `child` nor one of its descendants.
    private mutating func mayLink(_ child: Int32, to parent: Int32) -> Bool {
        if child == parent { return false }
        if childCounts[Int(child)] == 0 { return true }
        var node = parents[Int(parent)]
        while node != Self.none {
            steps -= 1
            if steps % Self.counted == 0 { Turn.note(Self.counted) }
            if node == child || steps <= 0 { return false }
            node = parents[Int(node)]
        }
        return true
    }

    private mutating func link(_ child: Int32, to parent: Int32) {
        parents[Int(child)] = parent
        childCounts[Int(parent)] += 1
    }

    private mutating func unlink(_ child: Int32) {
        let parent = parents[Int(child)]
        guard parent != Self.none else { return }
        parents[Int(child)] = Self.none
        childCounts[Int(parent)] -= 1
    }
}
