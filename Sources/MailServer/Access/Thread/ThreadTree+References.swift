// Steps 2 to 6 of the REFERENCES algorithm. RFC 5256 section 3.

extension ThreadTree {
    /// - Parameter forest: must have one node for each of the messages.
    package init(_ messages: [ThreadedMessage], linkedBy forest: ReferenceForest) {
        self.init(messages)
        adopt(forest)
        gatherSubjects(messages)
    }

    /// Steps 2 and 3: a message's parent is the nearest message above it. Only those dummies remain that head a thread
    /// and have several messages without any other message above them.
    private mutating func adopt(_ forest: ReferenceForest) {
        let none = ReferenceForest.none
        /// For each visited dummy, the nearest message above it, or the dummy that heads its thread.
        var tops: [Int32: Int32] = [:]
        /// For each dummy that heads a thread, the messages directly below it.
        var orphans: [Int32: [Int32]] = [:]
        var path: [Int32] = []
        var work = CountedWork()
        for (message, node) in forest.nodes.enumerated() {
            work.add()
            var above = forest.parents[Int(node)]
            guard above != none else { continue }
            path.removeAll(keepingCapacity: true)
            while forest.messages[Int(above)] == none {
                if let top = tops[above] {
                    above = top
                    break
                }
                work.add()
                path.append(above)
                let next = forest.parents[Int(above)]
                if next == none { break }
                above = next
            }
            for dummy in path { tops[dummy] = above }
            let parent = forest.messages[Int(above)]
            if parent != none {
                link(Int32(message), to: parent)
            } else {
                orphans[above, default: []].append(Int32(message))
            }
        }
        for children in orphans.values where children.count > 1 {
            let dummy = addDummy()
            for child in children { link(child, to: dummy) }
        }
    }

    /// Step 5: threads with the same subject are merged.
    private mutating func gatherSubjects(_ messages: [ThreadedMessage]) {
        let heads = heads()
        func subject(_ node: Int32) -> Fingerprint? { messages[Int(firstMessage(of: node))].subject }
        func isReply(_ node: Int32) -> Bool { !isDummy(node) && messages[Int(node)].isReplyOrForward }
        var table: [Fingerprint: Int32] = [:]
        var work = CountedWork()
        for head in heads {
            work.add()
            guard let subject = subject(head) else { continue }
            guard let known = table[subject] else {
                table[subject] = head
                continue
            }
            if !isDummy(known), isDummy(head) || (isReply(known) && !isReply(head)) { table[subject] = head }
        }
        let subjects = heads.map { subject($0) }
        for (head, subject) in zip(heads, subjects) {
            // A head merged into another thread is no longer a head.
            guard let subject, let known = table[subject], known != head, parents[Int(head)] == ReferenceForest.none
            else { continue }
            if isDummy(known), isDummy(head) {
                merge(head, into: known)
            } else if isDummy(known) || (isReply(head) && !isReply(known)) {
                link(head, to: known)
            } else {
                let dummy = addDummy()
                link(known, to: dummy)
                link(head, to: dummy)
                table[subject] = dummy
            }
        }
    }
}
