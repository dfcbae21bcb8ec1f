package import IMAPCodec
import ServerRuntime

/// Threads of messages: the parent of a message is a message, a dummy, or none for the head of a thread.
///
/// Nothing in it recurses: senders decide how deep a thread is.
package struct ThreadTree {
    private static let none = ReferenceForest.none

    /// The parents of the messages, followed by those of the dummies.
    package var parents: [Int32]
    private let messageCount: Int
    /// The messages by sent date, then by number.
    package let order: [Int32]
    /// The position of each message in `order`, followed by that of each dummy's first child.
    package var ranks: [Int32]
    /// Dummies merged into another one, with the dummy that took their children.
    package var heirs: [Int32: Int32] = [:]

    /// Messages without links.
    package init(_ messages: [ThreadedMessage]) {
        messageCount = messages.count
        parents = Array(repeating: Self.none, count: messages.count)
        var work = CountedWork()
        order = messages.indices.map { Int32($0) }.sorted { left, right in
            work.add()
            let (a, b) = (messages[Int(left)].sentDate, messages[Int(right)].sentDate)
            return a == b ? left < right : a < b
        }
        ranks = Array(repeating: 0, count: messages.count)
        for (rank, message) in order.enumerated() { ranks[Int(message)] = Int32(rank) }
    }

    package func isDummy(_ node: Int32) -> Bool { Int(node) >= messageCount }

    /// Returns the message itself, or the first child of a dummy.
    package func firstMessage(of node: Int32) -> Int32 { order[Int(ranks[Int(node)])] }

    /// The heads of threads, by sent date.
    package func heads() -> [Int32] {
        var work = CountedWork()
        return parents.indices.lazy.map { Int32($0) }
            .filter { parents[Int($0)] == Self.none && heirs[$0] == nil }
            .sorted {
                work.add()
                return ranks[Int($0)] < ranks[Int($1)]
            }
    }

    /// Adds a dummy without children.
    package mutating func addDummy() -> Int32 {
        parents.append(Self.none)
        ranks.append(.max)
        return Int32(parents.count - 1)
    }

    package mutating func link(_ child: Int32, to parent: Int32) {
        parents[Int(child)] = parent
        if isDummy(parent) { ranks[Int(parent)] = min(ranks[Int(parent)], ranks[Int(child)]) }
    }

    /// Moves the children of a dummy to another one.
    package mutating func merge(_ dummy: Int32, into heir: Int32) {
        heirs[dummy] = heir
        ranks[Int(heir)] = min(ranks[Int(heir)], ranks[Int(dummy)])
    }

    // MARK: ORDEREDSUBJECT

    /// Makes the first message of each base subject the head of a thread, with its other messages as children.
    package init(orderedSubjects messages: [ThreadedMessage]) {
        self.init(messages)
        var first: [Fingerprint?: Int32] = [:]
        for message in order {
            let subject = messages[Int(message)].subject
            if let head = first[subject] { parents[Int(message)] = head } else { first[subject] = message }
        }
    }

    // MARK: The response

    /// The threads in the form of RFC 5256 section 4, siblings by sent date.
    package func tokens(_ number: (Int) -> UInt32) -> [IMAPThreadToken] {
        var firstChildren = Array(repeating: Self.none, count: parents.count)
        var nextSiblings = Array(repeating: Self.none, count: messageCount)
        // Last to first, since each is inserted in front of its siblings.
        for message in order.reversed() {
            var parent = parents[Int(message)]
            guard parent != Self.none else { continue }
            while let heir = heirs[parent] { parent = heir }
            nextSiblings[Int(message)] = firstChildren[Int(parent)]
            firstChildren[Int(parent)] = message
        }
        enum Task {
            case visit(Int32)
            case token(IMAPThreadToken)
        }
        var tokens: [IMAPThreadToken] = []
        tokens.reserveCapacity(messageCount * 3)
        var tasks: [Task] = []
        var work = CountedWork()
        for head in heads() {
            tasks = [.token(.close), .visit(head)]
            tokens.append(.open)
            while let task = tasks.popLast() {
                work.add()
                switch task {
                case .token(let token): tokens.append(token)
                case .visit(let node):
                    if !isDummy(node) { tokens.append(.number(number(Int(node)))) }
                    let first = firstChildren[Int(node)]
                    guard first != Self.none else { continue }
                    guard nextSiblings[Int(first)] != Self.none || isDummy(node) else {
                        tasks.append(.visit(first))
                        continue
                    }
                    let start = tasks.count
                    var child = first
                    while child != Self.none {
                        tasks += [.token(.open), .visit(child), .token(.close)]
                        child = nextSiblings[Int(child)]
                    }
                    tasks[start...].reverse()
                }
            }
        }
        return tokens
    }
}

/// Counts steps of what cannot end in the middle, many together, as work of the thread's turn.
struct CountedWork {
    private var steps = 0

    /// Units of work of a step.
    private static let step = 32

    mutating func add() {
        steps += 1
        guard steps % 1_024 == 0 else { return }
        Turn.note(1_024 * Self.step)
    }
}
