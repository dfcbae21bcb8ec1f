import NIOCore

/// What waits for a thread, in the order in which it gets one: short work in front of long, by turns among accounts,
/// and by turns among the connections of one account.
struct TurnQueue<Element> {
    /// Whose turn it is: an account, or a connection without one.
    enum Account: Hashable {
        case named(String)
        case connection(UInt64)
    }

    /// Where an element stands.
    struct Place {
        var account: Account
        var connection: UInt64
        var isLong: Bool
    }

    /// An element whose turn it is.
    struct Next {
        let id: UInt64
        let element: Element
        let account: Account
        var isLong = false
    }

    /// The connections of one account that have something waiting, the next one first.
    private struct Lines {
        var order = CircularBuffer<UInt64>()
        var waiting: [UInt64: CircularBuffer<UInt64>] = [:]

        mutating func append(_ id: UInt64, of connection: UInt64) {
            if waiting[connection] == nil { order.append(connection) }
            waiting[connection, default: CircularBuffer()].append(id)
        }

        mutating func popFirst() -> UInt64? {
            guard let connection = order.popFirst(), let id = waiting[connection]?.popFirst() else { return nil }
            if waiting[connection]?.isEmpty == true {
                waiting[connection] = nil
            } else {
                order.append(connection)
            }
            return id
        }
    }

    private struct Level {
        var order = CircularBuffer<Account>()
        var lines: [Account: Lines] = [:]

        mutating func append(_ id: UInt64, _ account: Account, _ connection: UInt64) {
            if lines[account] == nil { order.append(account) }
            lines[account, default: Lines()].append(id, of: connection)
        }
    }

    private enum Length { case short, long }

    private var short = Level()
    private var long = Level()
    /// What waits, by id; those removed are still in the levels.
    private var elements: [UInt64: (element: Element, account: Account)] = [:]
    private var ids = 0
    private var waiting: [Account: Int] = [:]
    /// Short ones that went in front of long ones that waited.
    private var passed = 0

    /// Short ones that may go in front of a long one.
    private static var mostPassed: Int { 16 }

    var count: Int { elements.count }

    /// Whether somebody waits other than an account.
    private func hasOthers(than account: Account) -> Bool { waiting.count > (waiting[account] == nil ? 0 : 1) }

    mutating func append(_ element: Element, id: UInt64, at place: Place) {
        elements[id] = (element, place.account)
        waiting[place.account, default: 0] += 1
        ids += 1
        if place.isLong {
            long.append(id, place.account, place.connection)
        } else {
            short.append(id, place.account, place.connection)
        }
    }

    /// Takes one that waits out of the order.
    mutating func remove(_ id: UInt64) -> Element? {
        guard let (element, account) = elements.removeValue(forKey: id) else { return nil }
        leave(account)
        // Mass cancellation must not leave a long tail of names behind.
        if ids > 2 * elements.count + 64 { tidy() }
        return element
    }

    /// The next one of an account that may have a turn.
    mutating func popFirst(
        long mayBeLong: Bool, where isAllowed: (_ account: Account, _ othersWait: Bool) -> Bool
    ) -> Next? {
        let longFirst = mayBeLong && passed >= Self.mostPassed
        if longFirst, let next = popLong(isAllowed) { return next }
        if let next = pop(from: .short, isAllowed) {
            passed = long.order.isEmpty ? 0 : passed + 1
            return next
        }
        return mayBeLong && !longFirst ? popLong(isAllowed) : nil
    }

    private mutating func popLong(_ isAllowed: (_ account: Account, _ othersWait: Bool) -> Bool) -> Next? {
        guard var next = pop(from: .long, isAllowed) else { return nil }
        next.isLong = true
        passed = 0
        return next
    }

    // No key path: one in a generic type is looked up by name each time, 80,000 instructions a command.
    private subscript(_ length: Length) -> Level {
        get {
            switch length {
            case .short: short
            case .long: long
            }
        }
        _modify {
            switch length {
            case .short: yield &short
            case .long: yield &long
            }
        }
    }

    private mutating func pop(
        from level: Length, _ isAllowed: (_ account: Account, _ othersWait: Bool) -> Bool
    ) -> Next? {
        for _ in 0..<self[level].order.count {
            guard let account = self[level].order.popFirst() else { return nil }
            guard isAllowed(account, hasOthers(than: account)) else {
                self[level].order.append(account)
                continue
            }
            var lines = self[level].lines.removeValue(forKey: account) ?? Lines()
            var next: Next?
            while next == nil, let id = lines.popFirst() {
                ids -= 1
                guard let found = elements.removeValue(forKey: id) else { continue }
                next = Next(id: id, element: found.element, account: account)
            }
            if !lines.order.isEmpty {
                self[level].lines[account] = lines
                self[level].order.append(account)
            }
            guard let next else { continue }
            leave(account)
            return next
        }
        return nil
    }

    private mutating func leave(_ account: Account) {
        guard let left = waiting[account] else { return }
        waiting[account] = left > 1 ? left - 1 : nil
    }

    /// Forgets the names of what was removed.
    private mutating func tidy() {
        func tidied(_ level: Level) -> Level {
            var kept = Level()
            for account in level.order {
                guard let lines = level.lines[account] else { continue }
                for connection in lines.order {
                    for id in lines.waiting[connection] ?? CircularBuffer() where elements[id] != nil {
                        kept.append(id, account, connection)
                    }
                }
            }
            return kept
        }
        short = tidied(short)
        long = tidied(long)
        ids = elements.count
    }
}
