import DurableFiles
import TestSupport

@testable import ShardFS

/// A disk during calls: the durable part, and the part that a cut now could lose, entirely or in part.
///
/// The model is as weak as POSIX allows: data not followed by an fsync may be present, lost, torn or zero; a directory
/// entry not followed by an fsync of the directory may be present or not, independently of others. A rename is one
/// event: old name, new name or both, never neither; for a directory, old or new.
struct CutDisk {
    /// One half of a change of names.
    struct Atom {
        var id: Int
        var directory: DiskImage.Node
        var name: String
        /// Nil removes the name.
        var node: DiskImage.Node?
        /// Atoms that must have happened too if this one has.
        var requires: [Int]
        /// The other half of a directory's rename, in another directory; and whether this half was synced.
        var partner: Int?
        var isSynced = false
    }

    enum FileChange {
        case write(offset: Int, bytes: [UInt8], time: Int64)
        case truncate(Int)
        case setTime(Int64)
    }

    private(set) var durable: DiskImage
    /// In call order.
    private(set) var atoms: [Atom] = []
    private(set) var changes: [DiskImage.Node: [FileChange]] = [:]
    private var nextAtom = 0

    init(_ image: DiskImage) { durable = image }

    mutating func apply(_ event: DiskEvent) {
        switch event {
        case .write(let node, let offset, let bytes, let time):
            changes[node, default: []].append(.write(offset: offset, bytes: bytes, time: time))
        case .truncate(let node, let size): changes[node, default: []].append(.truncate(size))
        case .setTime(let node, let time): changes[node, default: []].append(.setTime(time))
        case .add(let directory, let name, let node, let isDirectory):
            if isDirectory { durable.directories[node] = [:] }
            add(directory, name, node, [])
        case .remove(let directory, let name): add(directory, name, nil, [])
        case .rename(let from, let name, let to, let newName, let node, let isDirectory):
            if isDirectory, from != to {
                add(to, newName, node, [nextAtom + 1], partner: nextAtom + 1)
                add(from, name, nil, [nextAtom - 1], partner: nextAtom - 1)
            } else {
                // Never neither by itself: the old name goes only with the new one there.
                let arrival = add(to, newName, node, isDirectory ? [nextAtom + 1] : [])
                add(from, name, nil, [arrival])
            }
        case .sync(let node, let dataOnly):
            if durable.directories[node] != nil {
                sync(directory: node)
            } else {
                settle(node, dataOnly: dataOnly)
            }
        case .syncAll:
            settle(Set(atoms.map(\.id)))
            for node in Array(changes.keys) { settle(node, dataOnly: false) }
        case .mark: break
        }
    }

    @discardableResult
    private mutating func add(
        _ directory: DiskImage.Node, _ name: String, _ node: DiskImage.Node?, _ requires: [Int], partner: Int? = nil
    ) -> Int {
        atoms.append(
            Atom(id: nextAtom, directory: directory, name: name, node: node, requires: requires, partner: partner))
        nextAtom += 1
        return nextAtom - 1
    }

    /// The changes of one directory become durable, alone: of a file's rename to or from another directory only the
    /// half in this one, of a directory's rename nothing before both directories were synced.
    private mutating func sync(directory: DiskImage.Node) {
        for i in atoms.indices where atoms[i].directory == directory { atoms[i].isSynced = true }
        let synced = Set(atoms.lazy.filter(\.isSynced).map(\.id))
        settle(
            synced.filter { id in
                guard let partner = atoms.first(where: { $0.id == id })?.partner else { return true }
                return synced.contains(partner)
            })
    }

    /// `chosen` and everything they require.
    func closed(_ chosen: Set<Int>) -> Set<Int> {
        let byID = Dictionary(uniqueKeysWithValues: atoms.map { ($0.id, $0) })
        var all: Set<Int> = []
        var open = Array(chosen)
        while let id = open.popLast() {
            guard let atom = byID[id], all.insert(id).inserted else { continue }
            open += atom.requires
        }
        return all
    }

    private mutating func settle(_ chosen: Set<Int>) {
        let all = chosen
        for atom in atoms where all.contains(atom.id) { Self.put(atom, &durable) }
        // An older change of a settled name is obsolete, whether it was written or not.
        let settled = atoms.filter { all.contains($0.id) }
        atoms.removeAll { atom in
            all.contains(atom.id)
                || settled.contains { $0.directory == atom.directory && $0.name == atom.name && $0.id > atom.id }
        }
    }

    private mutating func settle(_ node: DiskImage.Node, dataOnly: Bool) {
        var file = durable.files[node] ?? DiskFile()
        var left: [FileChange] = []
        for change in changes[node] ?? [] {
            if dataOnly, case .setTime = change { left.append(change) } else { Self.put(change, &file) }
        }
        durable.files[node] = file
        changes[node] = left.isEmpty ? nil : left
    }

    private static func put(_ atom: Atom, _ image: inout DiskImage) {
        image.directories[atom.directory, default: [:]][atom.name] = atom.node
    }

    private static func put(_ change: FileChange, _ file: inout DiskFile) {
        switch change {
        case .write(let offset, let bytes, let time):
            file.modified = time
            if file.bytes.count < offset + bytes.count {
                file.bytes += [UInt8](repeating: 0, count: offset + bytes.count - file.bytes.count)
            }
            file.bytes.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        case .truncate(let size):
            if size < file.bytes.count {
                file.bytes.removeSubrange(size...)
            } else {
                file.bytes += [UInt8](repeating: 0, count: size - file.bytes.count)
            }
        case .setTime(let time): file.modified = time
        }
    }

    // MARK: states after a cut

    /// The fate of unsynced file data.
    enum DataLoss {
        case all, none
        /// The last call of each file.
        case last
        case random
    }

    /// The disk with `chosen` of the pending entries.
    func image(_ chosen: Set<Int>, _ loss: DataLoss, _ random: inout SeededGenerator) -> DiskImage {
        var image = durable
        let all = closed(chosen)
        for atom in atoms where all.contains(atom.id) { Self.put(atom, &image) }
        for (node, changes) in changes.sorted(by: { $0.key < $1.key }) {
            let old = image.files[node] ?? DiskFile()
            var new = old
            for change in changes { Self.put(change, &new) }
            switch loss {
            case .all: break
            case .none: image.files[node] = new
            case .last:
                var file = old
                for change in changes.dropLast() { Self.put(change, &file) }
                image.files[node] = file
            case .random: image.files[node] = Self.torn(old, changes, new, &random)
            }
        }
        return image
    }

    private static func torn(
        _ old: DiskFile, _ changes: [FileChange], _ new: DiskFile, _ random: inout SeededGenerator
    ) -> DiskFile {
        let block = Bool.random(using: &random) ? 64 : 512
        switch Int.random(in: 0..<6, using: &random) {
        case 0: return old
        case 1: return new
        case 2:
            // Up to some call, whose data is kept up to some block.
            var file = old
            let last = Int.random(in: 0..<changes.count, using: &random)
            for change in changes[..<last] { put(change, &file) }
            if case .write(let offset, let bytes, let time) = changes[last] {
                let kept = Int.random(in: 0...bytes.count / block, using: &random) * block
                put(.write(offset: offset, bytes: Array(bytes.prefix(kept)), time: time), &file)
            }
            return file
        case 3:
            // The size arrived, the data did not.
            var file = old
            if new.bytes.count > old.bytes.count {
                file.bytes += [UInt8](repeating: 0, count: new.bytes.count - old.bytes.count)
            }
            return file
        default:
            // Each block independently.
            var file = new
            file.modified = Bool.random(using: &random) ? new.modified : old.modified
            for start in stride(from: 0, to: new.bytes.count, by: block) where Bool.random(using: &random) {
                for i in start..<min(start + block, new.bytes.count) {
                    file.bytes[i] = i < old.bytes.count ? old.bytes[i] : 0
                }
            }
            return file
        }
    }

    /// No pending entry, and each of the last ones alone.
    func few() -> [Set<Int>] { [[]] + atoms.suffix(8).map { closed([$0.id]) } }

    /// Sets of pending entries: all sets if there are few entries, otherwise every prefix, every single one missing,
    /// every single one alone and some at random.
    func choices(_ samples: Int, exhaustive: Int = 5, _ random: inout SeededGenerator) -> [Set<Int>] {
        let ids = atoms.map(\.id)
        var found: Set<Set<Int>> = []
        if ids.count <= exhaustive {
            for bits in 0..<(1 << ids.count) {
                found.insert(closed(Set(ids.indices.filter { bits >> $0 & 1 == 1 }.map { ids[$0] })))
            }
        } else {
            for i in 0...ids.count { found.insert(closed(Set(ids.prefix(i)))) }
            for id in ids {
                found.insert(closed(Set(ids.filter { $0 != id })))
                found.insert(closed([id]))
            }
            for _ in 0..<samples {
                found.insert(closed(Set(ids.filter { _ in Bool.random(using: &random) })))
            }
        }
        return found.sorted { $0.sorted().lexicographicallyPrecedes($1.sorted()) }
    }
}
