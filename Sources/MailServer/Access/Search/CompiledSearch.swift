package import ShardFS

/// The criteria of a search as a list of tests, each of which says where to go on when it holds and when it does not.
///
/// AND, OR and NOT are in the jumps alone, so nothing recurses, whatever the client nested. Within AND and OR the
/// cheapest tests come first. Jumps lead downwards only: a message meets each test once at most.
package struct CompiledSearch: Sendable {
    /// The next test of a message, or the result.
    package struct Position: Sendable, Equatable {
        fileprivate let index: Int32

        /// Whether the message is found; nil while tests are left.
        package var result: Bool? { index >= 0 ? nil : self == .found }

        static let found = Position(index: -1)
        static let rejected = Position(index: -2)
        /// The first test of the criterion that was compiled last.
        fileprivate static let next = Position(index: -3)
    }

    private struct Step {
        let criterion: SearchCriterion
        let ifTrue: Position
        let ifFalse: Position

        func next(_ isTrue: Bool) -> Position { isTrue ? ifTrue : ifFalse }
    }

    /// In the order of evaluation from the last to the first.
    private let steps: [Step]
    package let start: Position
    /// UID ranges outside of which nothing can match; nil if they are not obvious.
    package let bounds: [ClosedRange<UInt32>]?
    /// The cost of the dearest test.
    package let cost: Int
    /// Whether header fields are examined.
    package let readsHeader: Bool
    /// Whether the list, dates and extracts are all that the search needs.
    package let isAnsweredByExtracts: Bool
    /// Whether no file is read of a message that has a summary.
    package let isAnsweredByFields: Bool
    /// Flags that a message must have, and must not have, if these are all tests; else nil.
    package let flags: (wanted: MessageFlags, unwanted: MessageFlags)?
    /// The number of tests.
    package var weight: Int { steps.count }
    /// The only test that the list alone does not answer, if extracts have its field.
    private let lone: (position: Position, criterion: HeaderCriterion)?

    /// The only criterion that the list alone does not answer, if extracts have its field; nil if there are others.
    package var loneCriterion: HeaderCriterion? { lone?.criterion }

    /// Takes the tests that the list alone answers, up to one for which something has to be read.
    package func advance(
        _ position: Position, _ number: UInt32, _ entry: MessageEntry, in view: SelectedMailbox
    ) -> Position {
        var position = position
        while position.index >= 0 {
            let step = steps[Int(position.index)]
            guard let match = step.criterion.matchFromIndex(number, entry, in: view) else { break }
            position = step.next(match)
        }
        return position
    }

    /// The test at a position that is no result.
    package func criterion(at position: Position) -> SearchCriterion { steps[Int(position.index)].criterion }

    /// The position after the test's outcome.
    package func next(_ position: Position, _ isTrue: Bool) -> Position { steps[Int(position.index)].next(isTrue) }

    /// Whether the list alone answers all tests but the one here, which extracts answer.
    package func isAtLone(_ position: Position) -> Bool { position == lone?.position }
}

extension CompiledSearch {
    init(_ tree: borrowing SearchTree) {
        var steps: [Step] = []
        var first = Position.found
        var tasks = [(node: 0, ifTrue: Position.found, ifFalse: Position.rejected)]
        while var task = tasks.popLast() {
            // What comes behind this node has just been compiled.
            if task.ifTrue == .next { task.ifTrue = first }
            if task.ifFalse == .next { task.ifFalse = first }
            switch tree.nodes[task.node].kind {
            case .criterion(let criterion, let isNegated):
                if case .always(let value) = criterion {
                    first = value != isNegated ? task.ifTrue : task.ifFalse
                    continue
                }
                first = Position(index: Int32(steps.count))
                steps.append(
                    Step(
                        criterion: criterion, ifTrue: isNegated ? task.ifFalse : task.ifTrue,
                        ifFalse: isNegated ? task.ifTrue : task.ifFalse))
            case .every:
                let children = tree.children(of: task.node)
                tasks += children.dropLast().map { ($0, .next, task.ifFalse) }
                tasks += children.suffix(1).map { ($0, task.ifTrue, task.ifFalse) }
            case .any:
                let children = tree.children(of: task.node)
                tasks += children.dropLast().map { ($0, task.ifTrue, .next) }
                tasks += children.suffix(1).map { ($0, task.ifTrue, task.ifFalse) }
            }
        }
        self.steps = steps
        start = first
        bounds = tree.bounds
        cost = steps.lazy.map(\.criterion.cost).max() ?? 0
        readsHeader = steps.contains { $0.criterion.readsHeader }
        isAnsweredByExtracts = steps.allSatisfy { $0.criterion.isAnsweredByExtracts }
        isAnsweredByFields = steps.allSatisfy { $0.criterion.isAnsweredByFields }
        flags = Self.flags(steps, from: first)
        var reading = steps.indices.filter { steps[$0].criterion.cost > 0 }[...]
        if let index = reading.popFirst(), reading.isEmpty, case .header(let criterion) = steps[index].criterion,
            criterion.extractNumber != nil
        {
            lone = (Position(index: Int32(index)), criterion)
        } else {
            lone = nil
        }
    }

    private static func flags(
        _ steps: [Step], from start: Position
    ) -> (wanted: MessageFlags, unwanted: MessageFlags)? {
        var found: (wanted: MessageFlags, unwanted: MessageFlags) = ([], [])
        var position = start
        while position.index >= 0 {
            let step = steps[Int(position.index)]
            guard case .flags(let flags) = step.criterion else { return nil }
            if step.ifFalse == .rejected {
                found.wanted.formUnion(flags)
                position = step.ifTrue
            } else if step.ifTrue == .rejected, flags.rawValue.nonzeroBitCount == 1 {
                found.unwanted.formUnion(flags)
                position = step.ifFalse
            } else {
                return nil
            }
        }
        return position == .found && found.wanted.isDisjoint(with: found.unwanted) ? found : nil
    }
}
