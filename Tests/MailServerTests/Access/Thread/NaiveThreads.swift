/// A literal implementation of the REFERENCES algorithm of RFC 5256 section 3, with objects and recursion: for short
/// lists only.
final class NaiveThreads {
    struct Mail {
        var id: String?
        var references: [String] = []
        var date: Int64 = 0
        var subject = ""
        var isReply = false
    }

    private final class Node {
        /// The sequence number; nil for a dummy.
        var number: Int?
        unowned var parent: Node?
        var children: [Node] = []

        init(_ number: Int?) { self.number = number }

        func holds(_ other: Node) -> Bool { self === other || children.contains { $0.holds(other) } }

        func leave() {
            parent?.children.removeAll { $0 === self }
            parent = nil
        }

        func join(_ parent: Node) {
            leave()
            self.parent = parent
            parent.children.append(self)
        }
    }

    private let mails: [Mail]
    private var all: [Node] = []

    init(_ mails: [Mail]) { self.mails = mails }

    private func mail(_ node: Node) -> Mail { mails[node.number! - 1] }

    private func make(_ number: Int?) -> Node {
        let node = Node(number)
        all.append(node)
        return node
    }

    private func key(_ node: Node) -> (Int64, Int) {
        if let number = node.number { return (mails[number - 1].date, number) }
        return node.children.map(key).min { $0 < $1 }!
    }

    private func sorted(_ nodes: [Node]) -> [Node] { nodes.sorted { key($0) < key($1) } }

    func answer() -> String {
        var byID: [String: Node] = [:]
        var nodes: [Node] = []
        for (index, mail) in mails.enumerated() {
            let node = make(index + 1)
            nodes.append(node)
            if let id = mail.id, byID[id] == nil { byID[id] = node }
        }
        for (node, mail) in zip(nodes, mails) {
            let chain = mail.references.map { id in
                if let known = byID[id] { return known }
                let dummy = make(nil)
                byID[id] = dummy
                return dummy
            }
            for (parent, child) in zip(chain, chain.dropFirst()) where child.parent == nil && !child.holds(parent) {
                child.join(parent)
            }
            node.leave()
            if let last = chain.last, !node.holds(last) { node.join(last) }
        }
        // 2
        let root = Node(nil)
        for node in all where node.parent == nil { node.join(root) }
        // 3
        prune(root, isRoot: true)
        // 4
        root.children = sorted(root.children)
        gather(root)
        // 6
        return sorted(root.children).map { "(\(text($0)))" }.joined()
    }

    private func prune(_ node: Node, isRoot: Bool) {
        for child in node.children {
            prune(child, isRoot: false)
            guard child.number == nil else { continue }
            if child.children.isEmpty {
                child.leave()
            } else if !isRoot || child.children.count == 1 {
                for grandchild in child.children { grandchild.join(node) }
                child.leave()
            }
        }
    }

    private func gather(_ root: Node) {
        func subject(_ node: Node) -> String { mail(node.number == nil ? sorted(node.children)[0] : node).subject }
        func isReply(_ node: Node) -> Bool { node.number != nil && mail(node).isReply }
        var table: [String: Node] = [:]
        for node in root.children where !subject(node).isEmpty {
            guard let known = table[subject(node)] else {
                table[subject(node)] = node
                continue
            }
            if known.number != nil, node.number == nil || (isReply(known) && !isReply(node)) {
                table[subject(node)] = node
            }
        }
        for node in root.children where node.parent === root && !subject(node).isEmpty {
            let subject = subject(node)
            guard let known = table[subject], known !== node else { continue }
            if known.number == nil, node.number == nil {
                for child in node.children { child.join(known) }
                node.leave()
            } else if known.number == nil || (isReply(node) && !isReply(known)) {
                node.join(known)
            } else {
                let dummy = make(nil)
                dummy.join(root)
                known.join(dummy)
                node.join(dummy)
                table[subject] = dummy
            }
        }
    }

    private func text(_ node: Node) -> String {
        let children = sorted(node.children).map { text($0) }
        let rest = children.count == 1 && node.number != nil ? children[0] : children.map { "(\($0))" }.joined()
        guard let number = node.number else { return rest }
        return rest.isEmpty ? "\(number)" : "\(number) \(rest)"
    }
}
