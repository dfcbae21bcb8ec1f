import Primitives

/// The keywords of a mailbox for which its 31 letters left no room, and the messages that have them. Usually empty; a
/// value that shares its memory.
public struct ExtraKeywords: Hashable, Sendable {
    struct Keyword: Hashable, Sendable {
        /// The name in lower case.
        var key: String
        /// The name as it was first stored.
        var name: String
        var uids: UIDRanges
    }

    /// In the order of their keys; each has a message.
    private(set) var keywords: [Keyword] = []

    public var isEmpty: Bool { keywords.isEmpty }

    /// All names, in a fixed order.
    public var names: [String] { keywords.map(\.name) }

    /// The names that a message has, in the same order.
    public func names(of uid: UID) -> [String] {
        if keywords.isEmpty { return [] }
        return keywords.lazy.filter { $0.uids.contains(uid.rawValue) }.map(\.name)
    }

    /// The UIDs of the messages with a keyword, ascending and disjoint; some may be gone.
    public func uids(of name: String) -> [ClosedRange<UInt32>] {
        index(name.lowercased()).map { keywords[$0].uids.ranges } ?? []
    }

    func contains(_ name: String, _ uid: UInt32) -> Bool {
        index(name.lowercased()).map { keywords[$0].uids.contains(uid) } ?? false
    }

    func contains(_ name: String) -> Bool { index(name.lowercased()) != nil }

    var highestUID: UInt32? { keywords.compactMap { $0.uids.ranges.last?.upperBound }.max() }

    func hasAny(_ uid: UInt32) -> Bool { keywords.contains { $0.uids.contains(uid) } }

    mutating func insert(_ name: String, _ uid: UInt32) {
        let key = name.lowercased()
        let at = insertionIndex(key)
        if at == keywords.count || keywords[at].key != key {
            keywords.insert(Keyword(key: key, name: name, uids: UIDRanges()), at: at)
        }
        keywords[at].uids.insert(uid)
    }

    /// Adds a keyword read from a file; false if it is there already, or has no message.
    mutating func add(_ name: String, _ uids: UIDRanges) -> Bool {
        let key = name.lowercased()
        let at = insertionIndex(key)
        guard !uids.isEmpty, at == keywords.count || keywords[at].key != key else { return false }
        keywords.insert(Keyword(key: key, name: name, uids: uids), at: at)
        return true
    }

    mutating func remove(_ name: String, _ uid: UInt32) {
        guard let at = index(name.lowercased()), keywords[at].uids.contains(uid) else { return }
        keywords[at].uids.remove(uid)
        if keywords[at].uids.isEmpty { keywords.remove(at: at) }
    }

    mutating func removeAll(_ uid: UInt32) { for name in names(of: UID(uid)) { remove(name, uid) } }

    /// Keeps only the messages in `uids`, which are ascending.
    mutating func keep(_ uids: [UInt32]) { each { $0.keep(uids) } }

    /// Removes every message from UID `end` on.
    mutating func clip(below end: UInt32) { each { $0.clip(below: end) } }

    private mutating func each(_ change: (inout UIDRanges) -> Void) {
        for i in keywords.indices { change(&keywords[i].uids) }
        keywords.removeAll(where: \.uids.isEmpty)
    }

    private func index(_ key: String) -> Int? {
        let at = insertionIndex(key)
        return at < keywords.count && keywords[at].key == key ? at : nil
    }

    private func insertionIndex(_ key: String) -> Int { keywords.partitioningIndex { $0.key >= key } }
}

/// A change of the extra keywords of messages.
struct ExtraChange {
    /// Names without a letter, to be added.
    var add: [String] = []
    /// Names to be removed; when added, those that have a letter now.
    var remove: [String] = []
    /// Whether all others are removed too.
    var removesOthers = false

    init(_ operation: FlagOperation, _ names: [String], withoutRoom: [String]) {
        let extra = Set(withoutRoom.map { $0.lowercased() })
        switch operation {
        case .remove: remove = names
        case .add:
            add = withoutRoom
            remove = names.filter { !extra.contains($0.lowercased()) }
        case .replace:
            add = withoutRoom
            removesOthers = true
        }
    }

    /// Whether one of the messages is, or may be, changed.
    func concerns(_ keywords: ExtraKeywords, _ uids: some Sequence<UID>) -> Bool {
        if !add.isEmpty { return true }
        if keywords.isEmpty { return false }
        return uids.contains { uid in
            removesOthers
                ? keywords.hasAny(uid.rawValue) : remove.contains { keywords.contains($0, uid.rawValue) }
        }
    }

    /// Changes one message; false if it has these keywords already.
    func apply(to keywords: inout ExtraKeywords, _ uid: UInt32) -> Bool {
        var isChanged = false
        let kept = Set(add.map { $0.lowercased() })
        let gone =
            removesOthers
            ? keywords.names(of: UID(uid)).filter { !kept.contains($0.lowercased()) }
            : remove.filter { keywords.contains($0, uid) }
        for name in gone {
            keywords.remove(name, uid)
            isChanged = true
        }
        for name in add where !keywords.contains(name, uid) {
            keywords.insert(name, uid)
            isChanged = true
        }
        return isChanged
    }
}
