import Glibc
import TestSupport
import Testing

@testable import ShardFS

/// Every fsync earns its place: each class of them is taken out of each recorded operation in turn, and the power-cut
/// check must miss it in one of the operation's recordings. Where nothing can miss it, the reason stands here.
/// docs/storage.md has the same matrix.
@Suite struct SyncMatrixTests {
    enum Operation: String, CaseIterable, Sendable, CustomTestStringConvertible {
        case append, set, deliver, copy, move, flags, expunge, undelete
        case firstAppend = "new account", create, rename, renameInbox = "rename INBOX", delete
        case ceilings, compaction, recovery, close
        case extraKeywords = "extra keywords"

        var testDescription: String { rawValue }

        /// Whether a recording's step is the operation: the other steps look what became of it.
        func isIn(_ step: String) -> Bool {
            switch self {
            case .append, .ceilings: step.hasPrefix("append")
            case .firstAppend, .flags, .move, .copy, .set, .deliver: !step.hasPrefix("append there")
            case .expunge: step == "expunge" || step == "remove"
            case .compaction: step.hasPrefix("compact")
            case .extraKeywords: true
            default: step.hasPrefix(rawValue)
            }
        }

        /// Whether its row has a class: those of the messages stand in the rows of append, flags and move.
        func has(_ what: SyncClass) -> Bool {
            switch self {
            case .ceilings: what == .status
            case .extraKeywords: what == .keywords || what == .mailbox
            default: true
            }
        }

        /// The recordings, the quickest to miss something first.
        var runs: [CutRun] {
            switch self {
            case .append: [.append, .groundAppend, .firstMailboxAppend]
            case .set: [.set, .groundSet, .firstSet]
            case .deliver: [.deliver, .groundDeliver, .firstDeliver]
            case .copy: [.copy, .groundCopy, .firstCopy]
            case .move: [.move, .groundMove, .firstMove]
            case .flags: [.flagsFull, .flagsKeyword]
            case .expunge: [.groundExpunge, .expungeAndPurge, .expunge]
            case .undelete: [.undelete]
            case .create: [.createAfterPurge, .groundCreate, .createMailbox]
            case .firstAppend: [.firstAppend]
            case .rename: [.rename, .groundRename]
            case .renameInbox: [.renameInbox]
            case .delete: [.delete, .deleteWithChild, .groundDelete]
            case .ceilings: [.ceilings]
            case .compaction: [.compaction]
            case .recovery: [.recovery, .recoveryOfTwins]
            case .close: [.cleanClose]
            case .extraKeywords: [.extraKeywords]
            }
        }
    }

    /// Fsyncs that no recording misses, and why.
    static let needless: [Operation: [SyncClass: String]] = {
        let source = "the source's account has made `domains` durable"
        let before = "durable since the message was acknowledged here; a process that has just begun cannot know"
        let inbox = "durable since INBOX's messages were acknowledged"
        return [
            .copy: [.root: source], .move: [.root: source],
            .undelete: [.level: before, .account: before, .above: before, .root: before],
            .renameInbox: [.above: inbox, .root: inbox],
            .rename: [.status: "the log's header says the same"],
        ]
    }()

    /// Whether the environment asks for every state of what counts as needless too (SHARDFS_MATRIX=all; minutes).
    static let isThorough = getenv("SHARDFS_MATRIX") != nil

    struct Cell {
        var what: SyncClass
        /// The run that misses it.
        var missedBy: CutRun?
        var states = 0
        var finding = ""
    }

    /// A recording, and its fsyncs in the steps that are the operation.
    private struct Recording {
        var run: CutRun
        var scenario: CutScenario
        var syncs: [Int: SyncClass] = [:]

        init(_ run: CutRun, _ operation: Operation) throws {
            self.run = run
            scenario = try run.record()
            let events = scenario.recorder.events
            let names = RecordedNames(scenario.image, events)
            var step = 0
            for (index, event) in events.enumerated().dropFirst(scenario.ground) {
                if case .mark(let done) = event { step = done }
                guard case .sync(let node, _) = event, step < scenario.steps.count,
                    operation.isIn(scenario.steps[step].name)
                else { continue }
                let what = names.syncClass(node)
                if operation.has(what) { syncs[index] = what }
            }
        }

        /// The power-cut check without the fsyncs of a class.
        func missing(_ what: SyncClass, isQuick: Bool) -> CutCheck.Outcome {
            var index = scenario.ground - 1
            var check = CutCheck(scenario) { event, _, _ in
                index += 1
                return syncs[index] == what ? nil : event
            }
            check.enough = 1
            check.isQuick = isQuick
            return check.run()
        }
    }

    static func cells(_ operation: Operation) throws -> [Cell] {
        let recordings = try operation.runs.map { try Recording($0, operation) }
        return Set(recordings.flatMap(\.syncs.values)).sorted().map { what in
            var cell = Cell(what: what)
            // First where most of it shows, then everywhere; what counts as needless is looked at everywhere on demand.
            let isKnown = needless[operation]?[what] != nil && !isThorough
            for isQuick in isKnown ? [true] : [true, false] {
                for recording in recordings where recording.syncs.values.contains(what) && cell.missedBy == nil {
                    let outcome = recording.missing(what, isQuick: isQuick)
                    cell.states += outcome.states
                    if let finding = outcome.violations.first {
                        (cell.missedBy, cell.finding) = (recording.run, finding)
                    }
                }
            }
            return cell
        }
    }

    @Test(arguments: Operation.allCases) func everySyncIsMissed(_ operation: Operation) throws {
        let cells = try Self.cells(operation)
        for cell in cells {
            let missed = cell.missedBy.map { "red in \($0.rawValue)" } ?? "needless"
            print(
                "fsync: \(operation.rawValue) | \(cell.what.rawValue) | \(missed) | \(cell.states) states | "
                    + "\(cell.finding.prefix(160))")
            let reason = Self.needless[operation]?[cell.what]
            #expect((cell.missedBy == nil) == (reason != nil), "\(operation.rawValue): fsync of \(cell.what.rawValue)")
        }
        let row = Self.row(operation, cells)
        let page = try Program.text(Repository.path + "/docs/storage.md")
        #expect(page.contains(row + "\n"), "docs/storage.md lacks this row:\n\(row)")
    }

    /// The operation's row in docs/storage.md.
    private static func row(_ operation: Operation, _ cells: [Cell]) -> String {
        func names(_ cells: [Cell]) -> String {
            cells.map(\.what.rawValue).joined(separator: ", ")
        }
        var reasons: [(reason: String, cells: [Cell])] = []
        for cell in cells where cell.missedBy == nil {
            let reason = needless[operation]?[cell.what] ?? ""
            if reasons.last?.reason == reason {
                reasons[reasons.count - 1].cells.append(cell)
            } else {
                reasons.append((reason, [cell]))
            }
        }
        let others = reasons.map { "\(names($0.cells)): \($0.reason)" }.joined(separator: "; ")
        return "| \(operation.rawValue) | \(names(cells.filter { $0.missedBy != nil })) | \(others) |"
    }
}
