package import IMAPCodec
package import MIME
import ShardFS

/// Prepares a search for one view.
package struct SearchCompiler {
    package let view: SelectedMailbox
    package let charset: Charset
    package let savedResult: [ClosedRange<UInt32>]
    /// Seconds since 1970.
    package let now: Int64

    package init(view: SelectedMailbox, charset: Charset, savedResult: [ClosedRange<UInt32>], now: Int64) {
        self.view = view
        self.charset = charset
        self.savedResult = savedResult
        self.now = now
    }

    package func compile(_ program: IMAPSearchProgram) -> CompiledSearch {
        var tree = SearchTree()
        for term in program.terms {
            switch term {
            case .not: tree.negate()
            case .or: tree.beginGroup(ofAny: true, operands: 2)
            case .and(let count): tree.beginGroup(ofAny: false, operands: count)
            case .key(.new):
                tree.beginGroup(ofAny: false, operands: 2)
                tree.add(.recent)
                tree.negate()
                tree.add(.flags(.seen))
            case .key(.withoutFlag(let flag)):
                tree.negate()
                add(flag, to: &tree)
            case .key(.flag(let flag)): add(flag, to: &tree)
            case .key(let key): tree.add(criterion(for: key))
            }
        }
        tree.finish()
        return CompiledSearch(tree)
    }

    private func criterion(for key: IMAPSearchKey) -> SearchCriterion {
        switch key {
        case .all: return .always(true)
        case .flag, .withoutFlag, .new: return .recent  // Added as several criteria.
        case .sequence(let set):
            guard let ranges = set.resolved(largest: UInt32(clamping: view.count)) else { return .uids(savedResult) }
            return .numbers(ranges)
        case .uid(let set): return .uids(set.resolved(largest: view.largestUID) ?? savedResult)
        case .header(let field, let value): return .header(HeaderCriterion(field, query(value)))
        case .address(let field, let value): return .header(HeaderCriterion(field, query(value), inAddresses: true))
        case .body(let text): return .body(query(text))
        case .text(let text): return .text(query(text))
        case .internalDate(let comparison, let date): return .received(comparison, date.daysSince1970)
        case .sentDate(let comparison, let date): return .sent(comparison, date.daysSince1970)
        case .saveDate(let comparison, let date): return .saved(comparison, date.daysSince1970)
        case .saveDateSupported: return .always(true)
        case .larger(let size): return .largerThan(size)
        case .smaller(let size): return .smallerThan(size)
        case .older(let seconds): return .receivedUntil(now - Int64(seconds))
        case .younger(let seconds): return .receivedFrom(now - Int64(seconds))
        case .modSeq(let modSeq): return .modSeq(modSeq)
        case .emailID(let id): return .emailID(id)
        case .threadID: return .always(false)
        }
    }

    private func add(_ flag: IMAPFlag, to tree: inout SearchTree) {
        if flag == .recent { return tree.add(.recent) }
        if let bit = MessageFlags(system: flag) { return tree.add(.flags(bit)) }
        guard case .keyword(let name) = flag else { return tree.add(.always(false)) }
        let letter = view.snapshot.keywords.flag(name)
        let extra = view.snapshot.extraKeywords.uids(of: name)
        guard let letter else { return tree.add(.uids(extra)) }
        if !extra.isEmpty {
            tree.beginGroup(ofAny: true, operands: 2)
            tree.add(.uids(extra))
        }
        tree.add(.flags(letter))
    }

    private func query(_ bytes: [UInt8]) -> TextQuery { TextQuery(charset.decode(bytes)) }
}
