/// The criteria of a search as a tree, in a list rather than in references: the tree may be as deep as a line is long.
///
/// NOT is carried down to the criteria. AND in AND and OR in OR become one, so that chains of them are flat and their
/// cheapest criteria are found.
struct SearchTree: ~Copyable {
    enum Kind {
        case every
        case any
        case criterion(SearchCriterion, isNegated: Bool)
    }

    struct Node {
        let kind: Kind
        let parent: Int
        var cost: Int
        fileprivate var firstChild: Int?
        fileprivate var lastChild: Int?
        fileprivate var nextSibling: Int?
    }

    /// An operator whose operands are still to come.
    private struct Open {
        let node: Int
        var operands: Int
        let isNegated: Bool
    }

    /// The root is first, parents come before their children.
    private(set) var nodes = [Node(kind: .every, parent: 0, cost: 0)]
    private var open = [Open(node: 0, operands: .max, isNegated: false)]
    private var isNegated = false

    /// Negates the next operand.
    mutating func negate() { isNegated.toggle() }

    mutating func add(_ criterion: SearchCriterion) {
        let (parent, isNegated) = takeOperand()
        append(.criterion(criterion, isNegated: isNegated), to: parent, cost: criterion.cost)
    }

    /// Begins a group of the next operands, all of which or any of which must hold.
    mutating func beginGroup(ofAny: Bool, operands: Int) {
        let (parent, isNegated) = takeOperand()
        // Not any of them: none, thus every one negated.
        let isAny = ofAny != isNegated
        let node =
            switch (nodes[parent].kind, isAny) {
            case (.any, true), (.every, false): parent
            default: append(isAny ? .any : .every, to: parent, cost: 0)
            }
        open.append(Open(node: node, operands: operands, isNegated: isNegated))
    }

    /// Works out the costs of groups, when all operands are there.
    mutating func finish() {
        for index in nodes.indices.dropFirst().reversed() {
            let parent = nodes[index].parent
            nodes[parent].cost = max(nodes[parent].cost, nodes[index].cost)
        }
    }

    /// The children, the cheapest first, otherwise in the client's order.
    borrowing func children(of node: Int) -> [Int] {
        var byCost: [[Int]] = [[], [], [], []]
        var child = nodes[node].firstChild
        while let index = child {
            byCost[nodes[index].cost].append(index)
            child = nodes[index].nextSibling
        }
        return byCost.flatMap { $0 }
    }

    /// UID ranges outside of which nothing can match; nil if they are not obvious.
    var bounds: [ClosedRange<UInt32>]? {
        for child in children(of: 0) {
            if case .criterion(.uids(let ranges), isNegated: false) = nodes[child].kind { return ranges }
        }
        return nil
    }

    private mutating func takeOperand() -> (parent: Int, isNegated: Bool) {
        while open[open.count - 1].operands == 0 { open.removeLast() }
        open[open.count - 1].operands -= 1
        let top = open[open.count - 1]
        defer { isNegated = false }
        return (top.node, top.isNegated != isNegated)
    }

    @discardableResult
    private mutating func append(_ kind: Kind, to parent: Int, cost: Int) -> Int {
        let index = nodes.count
        nodes.append(Node(kind: kind, parent: parent, cost: cost))
        if let last = nodes[parent].lastChild {
            nodes[last].nextSibling = index
        } else {
            nodes[parent].firstChild = index
        }
        nodes[parent].lastChild = index
        return index
    }
}
