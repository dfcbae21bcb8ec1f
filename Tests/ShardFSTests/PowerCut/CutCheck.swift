import Glibc
import Primitives
import TestSupport

@testable import ShardFS

/// Replays a recording, cuts it at every point, and opens every state of the disk that the cut may leave.
struct CutCheck {
    struct Outcome {
        var states = 0
        var violations: [String] = []
    }

    let scenario: CutScenario
    let events: [DiskEvent]
    /// Events of processes that died before the first step.
    private let ground: Int
    /// The number of random choices of entries, and of random ways to lose data for each, where not all can be tried.
    var samples = 8
    var tears = 2
    /// Pending entries up to which every set of them is tried.
    var exhaustive = 5
    /// The number of violations after which the check stops.
    var enough = 5
    /// Looks only at the moments right after an acknowledgement, with nothing kept that was not synced, or one entry:
    /// most of what a missing fsync costs shows there.
    var isQuick = false
    var random: SeededGenerator
    private let scratch = FastScratch()

    /// - Parameter mutate: returns the event that replaces the given one, or nil for none; also gets the previous
    ///   event.
    init(
        _ scenario: CutScenario,
        mutate: (DiskEvent, _ previous: DiskEvent?, RecordedNames) -> DiskEvent? = { event, _, _ in event }
    ) {
        self.scenario = scenario
        let all = scenario.recorder.events
        let names = RecordedNames(scenario.image, all)
        // What the dead made, they did not sync.
        let ground = all.prefix(scenario.ground).indices.filter { i in
            guard case .sync(let node, _) = all[i] else { return true }
            // The counter is durable before anything is made with its value.
            if i > 0, case .rename(_, _, _, UIDValidityCounter.fileName, _, _) = all[i - 1] { return true }
            return !CutScenario.unsynced.contains(names.syncClass(node))
        }.map { all[$0] }
        self.ground = ground.count
        events =
            ground
            + all.indices.dropFirst(scenario.ground).compactMap { mutate(all[$0], $0 > 0 ? all[$0 - 1] : nil, names) }
        random = SeededGenerator(seed: SeededGenerator.testSeed)
    }

    mutating func run() -> Outcome {
        var outcome = Outcome()
        var disk = CutDisk(scenario.image)
        var live = LiveDisk(scenario.image)
        var acknowledged = 0
        var seen: Set<Int> = []
        for index in 0...events.count {
            if index > 0 {
                disk.apply(events[index - 1])
                live.apply(events[index - 1])
                if case .mark(let step) = events[index - 1] {
                    acknowledged = step
                    seen = []
                }
            }
            guard index >= ground, isMoment(index) else { continue }
            let choices = isQuick ? disk.few() : disk.choices(samples, exhaustive: exhaustive, &random)
            for choice in choices {
                let tears = isQuick ? 0 : tears
                let losses = [.all, .none, .last] + [CutDisk.DataLoss](repeating: .random, count: tears)
                for loss in disk.changes.isEmpty ? [.none] : losses {
                    let image = disk.image(choice, loss, &random)
                    var hasher = Hasher()
                    hasher.combine(image.signature)
                    for marks in live.shown.values { hasher.combine(marks.highestModSeq) }
                    hasher.combine(live.highestUIDValidity)
                    guard seen.insert(hasher.finalize()).inserted else { continue }
                    outcome.states += 1
                    var wrong = check(image, acknowledged, live)
                    if isClosed(index, acknowledged), wrong.isEmpty { wrong = reopening(image, acknowledged) }
                    for violation in wrong {
                        let step = acknowledged < scenario.steps.count ? scenario.steps[acknowledged].name : "the end"
                        outcome.violations.append(
                            "cut before call \(index) (in \(step)), entries \(choice.sorted()), "
                                + "data \(loss): \(violation)")
                    }
                    if outcome.violations.count >= enough { return outcome }
                }
            }
        }
        return outcome
    }

    /// Whether the states that a cut before event `index` can leave are looked at.
    private func isMoment(_ index: Int) -> Bool {
        if isQuick, index > 0, case .mark = events[index - 1] { return true }
        if isQuick { return false }
        // A state is judged at the last moment that can leave it: syncs only rule states out.
        return index == events.count || changesStates(events[index])
    }

    private func changesStates(_ event: DiskEvent) -> Bool {
        switch event {
        case .sync, .syncAll, .mark: true
        // A cut between two changing calls leaves nothing that the next one cannot leave.
        case .write, .truncate, .setTime, .add, .remove, .rename: false
        }
    }

    // MARK: one state

    /// Whether nothing has happened since an acknowledged close.
    private func isClosed(_ index: Int, _ acknowledged: Int) -> Bool {
        guard index > 0, case .mark = events[index - 1] else { return false }
        return scenario.steps[acknowledged - 1].name.hasPrefix("close")
    }

    /// A mailbox that was closed in good order goes on with its mod-sequences.
    private func reopening(_ image: DiskImage, _ acknowledged: Int) -> [String] {
        let path = scratch.path + "/closed"
        image.materialise(in: path)
        defer { removeTree(path) }
        var options = scenario.options
        options.bootID = "boot-cut-1"
        let before = scenario.steps[acknowledged - 1].after
        guard let now = try? Store.open(path, options: options).world(scenario.places) else { return ["no world"] }
        return before.filter { now[$0.key]?.highestModSeq != $0.value.highestModSeq }.keys.sorted().map {
            "\($0): closed in good order, and its mod-sequences are new"
        }
    }

    private func check(_ image: DiskImage, _ acknowledged: Int, _ live: LiveDisk) -> [String] {
        let path = scratch.path + "/state"
        image.materialise(in: path)
        defer { removeTree(path) }
        do {
            return try check(path, acknowledged, live)
        } catch {
            return ["an error: \(error)\n" + image.listing().joined(separator: "\n")]
        }
    }

    private func check(_ path: String, _ acknowledged: Int, _ live: LiveDisk) throws -> [String] {
        let shown = live.shown
        var options = scenario.options
        options.bootID = "boot-cut-1"
        let rules = rules(acknowledged)
        var wrong: [String] = []
        var store = try Store.open(path, options: options)
        let found = try store.world(scenario.places)
        wrong += rules.violations(found.mapValues(scenario.withStrayInPlace))
        wrong += vanished(path, acknowledged)
        for place in scenario.places where found[place.key] != nil {
            let mailbox = try place.open(store)
            let names = try mailbox.snapshot().keywords.names
            for letter in mailbox.state.withLock({ $0.view.usedFlags }).intersection(.keywordMask).letters.utf8
            where names[letter] == nil { wrong.append("\(place.key): the name of keyword \(letter) is lost") }
        }
        for (id, saved) in try store.saveDates(scenario.places) {
            for (uid, date) in scenario.saved[id] ?? [:] where date != nil {
                if let now = saved[uid], now != date { wrong.append("UID \(uid) of \(id): its SAVEDATE is lost") }
            }
        }
        for (key, mailbox) in found {
            if let old = rules.before[key] ?? rules.after[key], old.id == mailbox.id {
                if old.uidValidity != mailbox.uidValidity { wrong.append("\(key): another UIDVALIDITY") }
            }
            if let old = rules.before.values.first(where: { $0.id == mailbox.id }), mailbox.uidNext < old.uidNext {
                wrong.append("\(key): UIDNEXT went back from \(old.uidNext) to \(mailbox.uidNext)")
            }
            if let marks = shown[mailbox.id] {
                if mailbox.highestModSeq < marks.highestModSeq {
                    wrong.append(
                        "\(key): HIGHESTMODSEQ went back from \(marks.highestModSeq) to \(mailbox.highestModSeq)")
                }
            }
        }
        // Adds one message each: its UID must be new.
        var later = found
        for place in scenario.places where found[place.key] != nil {
            let mailbox = try place.open(store)
            let uid = try mailbox.append("a later message").rawValue
            if let marks = shown[mailbox.id], uid <= marks.highestUID {
                wrong.append("\(place.key): UID \(uid) was given out before, up to \(marks.highestUID)")
            }
            later[place.key] = try MailboxWorld(mailbox)
        }
        for address in Set(scenario.places.map(\.address)) {
            wrong += try quotaViolations(store, address, later)
        }
        wrong += try accountViolations(store, acknowledged, live)
        // Another restart, with everything on the disk.
        options.bootID = "boot-cut-2"
        store = try Store.open(path, options: options)
        let again = try store.world(scenario.places)
        for (key, mailbox) in later {
            guard let now = again[key] else {
                wrong.append("\(key) is gone after a second recovery")
                continue
            }
            if now.messages != mailbox.messages || now.uidValidity != mailbox.uidValidity {
                wrong.append("\(key): a second recovery gives \(now.listing), not \(mailbox.listing)")
            }
            if now.highestModSeq < mailbox.highestModSeq || now.uidNext < mailbox.uidNext {
                wrong.append("\(key): a second recovery goes back")
            }
        }
        return wrong
    }

    /// A message that was acknowledged has a name somewhere, in a shard, in `.expunged/` or in `.deleted/`,
    /// unless messages are purged.
    private func vanished(_ path: String, _ acknowledged: Int) -> [String] {
        let disk = DiskImage(of: path)
        let names = disk.directories.values.flatMap { entries in entries.filter { $0.key.hasSuffix(".eml") }.values }
        let texts = Set(names.compactMap { disk.files[$0]?.bytes })
        let worlds = [scenario.start] + scenario.steps.prefix(acknowledged).map(\.after)
        let shown = scenario.purges ? [worlds[acknowledged]] : worlds
        let acknowledged = Set(shown.flatMap { $0.values.flatMap { $0.messages.values.map(\.text) } })
        return acknowledged.filter { !texts.contains(Array($0.utf8)) }.sorted().map {
            "'\($0.prefix(20))', acknowledged, has no name anywhere"
        }
    }

    /// What a deletion left, and that a new mailbox has a UIDVALIDITY that nobody ever saw.
    private func accountViolations(_ store: Store, _ acknowledged: Int, _ live: LiveDisk) throws -> [String] {
        let address = try AccountAddress(parsing: Place.inbox.address)
        guard try store.accounts().contains(address) else { return [] }
        let account = try store.account(address)
        var wrong: [String] = []
        let names = try account.deletedMailboxes().map { $0.name?.description }
        for (step, name) in scenario.deletions where step < acknowledged && !names.contains(name) {
            wrong.append("the deleted mailbox \(name) has lost its name")
        }
        try account.create(MailboxName("Probe"))
        let validity = try account.mailbox(MailboxName("Probe")).snapshot().uidValidity
        if validity <= live.highestUIDValidity {
            wrong.append("UIDVALIDITY \(validity) again, \(live.highestUIDValidity) was seen")
        }
        return wrong
    }

    private func quotaViolations(_ store: Store, _ address: String, _ world: World) throws -> [String] {
        let known = try store.accounts().map(\.description)
        guard known.contains(address) else { return [] }
        let account = try store.account(AccountAddress(parsing: address))
        let mine = world.filter { $0.key.hasPrefix(address + "/") }.values.flatMap { $0.messages.values }
        let bytes = mine.reduce(0) { $0 + $1.text.utf8.count }
        let quota = try account.quota()
        if quota.bytes == UInt64(bytes), quota.messages == UInt64(mine.count) { return [] }
        return [
            "\(address): quota says \(quota.bytes) bytes and \(quota.messages) messages, not \(bytes) and \(mine.count)"
        ]
    }

    private func rules(_ acknowledged: Int) -> Rules {
        let steps = scenario.steps
        let before = acknowledged == 0 ? scenario.start : steps[acknowledged - 1].after
        let step = acknowledged < steps.count ? steps[acknowledged] : nil
        var rules = Rules(before: before, after: step?.after ?? before, kind: step?.kind ?? .single)
        var flags: [String: [UInt32: Rules.FlagsShown]] = [:]
        for world in [scenario.start] + steps.prefix(acknowledged + 1).map(\.after) {
            for mailbox in world.values {
                for (uid, message) in mailbox.messages {
                    rules.shown[mailbox.id, default: [:]][uid] = message.text
                    flags[mailbox.id, default: [:]][uid, default: Rules.FlagsShown()].insert(message)
                }
            }
        }
        if scenario.options.durability != .full { rules.flagsShown = flags }
        return rules
    }
}

/// A disk as processes see it, and the marks that they may have read from its change logs.
struct LiveDisk {
    private var image: DiskImage
    private(set) var shown: [String: ShownMarks] = [:]
    /// The highest UIDVALIDITY of a mailbox of the first account that anybody may have seen.
    private(set) var highestUIDValidity: UInt32 = 0

    init(_ image: DiskImage) {
        self.image = image
        for (directory, entries) in image.directories {
            if let log = entries[LogFile.fileName] { look(log) }
            lookAtUIDValidity(directory)
        }
    }

    private mutating func lookAtUIDValidity(_ directory: DiskImage.Node) {
        guard let log = image.directories[directory]?[LogFile.fileName], let bytes = image.files[log]?.bytes,
            let header = bytes.withUnsafeBytes({ LogHeader($0) }), isOfFirstAccount(directory)
        else { return }
        highestUIDValidity = max(highestUIDValidity, header.uidValidity)
    }

    private func isOfFirstAccount(_ directory: DiskImage.Node) -> Bool {
        var node = directory
        while let (parent, name) = parent(of: node) {
            if name.hasPrefix(AccountContext.newPrefix) { return false }
            if name == Place.inbox.address.prefix(while: { $0 != "@" }) { return true }
            node = parent
        }
        return false
    }

    private func parent(of node: DiskImage.Node) -> (DiskImage.Node, String)? {
        for (directory, entries) in image.directories {
            if let name = entries.first(where: { $0.value == node })?.key { return (directory, name) }
        }
        return nil
    }

    mutating func apply(_ event: DiskEvent) {
        switch event {
        case .write(let node, let offset, let bytes, _):
            var file = image.files[node]?.bytes ?? []
            if file.count < offset + bytes.count {
                file += [UInt8](repeating: 0, count: offset + bytes.count - file.count)
            }
            file.replaceSubrange(offset..<offset + bytes.count, with: bytes)
            image.files[node, default: DiskFile()].bytes = file
            if image.directories.values.contains(where: { $0[LogFile.fileName] == node }) { look(node) }
        case .truncate(let node, let size):
            let bytes = image.files[node]?.bytes ?? []
            image.files[node]?.bytes = Array(bytes.prefix(size))
        case .add(let directory, let name, let node, let isDirectory):
            if isDirectory { image.directories[node] = [:] }
            image.directories[directory, default: [:]][name] = node
        case .remove(let directory, let name): image.directories[directory]?[name] = nil
        case .rename(let from, let name, let to, let newName, let node, _):
            image.directories[from]?[name] = nil
            image.directories[to, default: [:]][newName] = node
            if newName == LogFile.fileName { look(node) }
            lookAtUIDValidity(newName == LogFile.fileName ? to : node)
        case .setTime, .sync, .syncAll, .mark: break
        }
    }

    private mutating func look(_ log: DiskImage.Node) {
        guard let bytes = image.files[log]?.bytes else { return }
        var marks = ShownMarks()
        guard let id = marks.add(log: bytes) else { return }
        let known = shown[id] ?? ShownMarks()
        shown[id] = ShownMarks(
            highestUID: max(known.highestUID, marks.highestUID),
            highestModSeq: max(known.highestModSeq, marks.highestModSeq))
    }
}

/// All names that the nodes of a recording had at any time.
struct RecordedNames {
    private var names: [DiskImage.Node: Set<String>] = [:]
    private var entries: [DiskImage.Node: Set<String>] = [:]
    private var parents: [DiskImage.Node: Set<DiskImage.Node>] = [:]
    private var directories: Set<DiskImage.Node> = []

    init(_ image: DiskImage, _ events: [DiskEvent]) {
        func add(_ directory: DiskImage.Node, _ name: String, _ node: DiskImage.Node) {
            names[node, default: []].insert(name)
            entries[directory, default: []].insert(name)
            parents[node, default: []].insert(directory)
            directories.insert(directory)
        }
        directories = Set(image.directories.keys)
        for (directory, content) in image.directories { for (name, node) in content { add(directory, name, node) } }
        for event in events {
            switch event {
            case .add(let directory, let name, let node, let isDirectory):
                add(directory, name, node)
                if isDirectory { directories.insert(node) }
            case .rename(_, _, let directory, let name, let node, _): add(directory, name, node)
            default: break
            }
        }
    }

    func isDirectory(_ node: DiskImage.Node) -> Bool { directories.contains(node) }
    /// Whether a node was in a directory of that name.
    func isBelow(_ node: DiskImage.Node, _ name: String) -> Bool {
        parents[node]?.contains { has($0) { $0 == name } } ?? false
    }

    func has(_ node: DiskImage.Node, _ test: (String) -> Bool) -> Bool { names[node]?.contains(where: test) ?? false }

    func isMessage(_ node: DiskImage.Node) -> Bool { has(node) { MessageFileName.parse($0) != nil } }
    func isShard(_ node: DiskImage.Node) -> Bool { has(node) { ShardName.parse($0) != nil } }
    func isLog(_ node: DiskImage.Node) -> Bool { has(node) { $0 == LogFile.fileName } }
    func isStatus(_ node: DiskImage.Node) -> Bool { has(node) { $0 == MailboxStatus.fileName } }
    /// Whether the node is the directory of a mailbox.
    func isMailbox(_ node: DiskImage.Node) -> Bool { entries[node]?.contains(LogFile.fileName) ?? false }
    func isExpunged(_ node: DiskImage.Node) -> Bool {
        has(node) {
            $0 == ExpungedName.directory || ($0.utf8.count == 10 && $0.utf8.allSatisfy { (48...57).contains($0) })
        }
    }
}
