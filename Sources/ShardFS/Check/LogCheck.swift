/// Checks the rules of a change log's records, and of the file names that they describe.
struct LogCheck {
    let mailbox: MailboxCheck
    let status: MailboxStatus
    let log: LogFile

    private var path: String { "\(mailbox.path)/\(LogFile.fileName)" }

    /// Checks the log. Returns false if intents are open, so that names and quota may differ from the done records.
    func run(_ report: inout CheckReport) throws(StoreError) -> Bool {
        let size = try log.size()
        let count = LogFile.records(in: size)
        if LogFile.isTorn(size) {
            report.add(.logTorn, path, "it ends in a partial record, which the next writer removes")
        }
        var order = RecordOrder(base: log.base)
        var view = MailboxView(log.openedHeader, uidFloor: status.uidFloor)
        var digests: [UInt32: ContentDigest] = [:]
        var right = 0
        var at = 0
        while at < count {
            let end = try log.scan(from: at, to: count) { record, place in
                right += 1
                order.take(record, at: place)
                view.apply(record, at: place)
                if record.isDone, record.kind == .append || record.kind == .kept { digests[record.uid] = record.digest }
            }
            switch end {
            case .end, .cut: at = count
            case .bad(let place):
                if place == count - 1 {
                    report.add(.logTorn, path, "its last record is wrong; the next writer begins a new log")
                } else {
                    report.add(.recordBad, path, "the checksum of record \(place) of \(count) is wrong")
                }
                right += 1
                at = place + 1
            }
        }
        if right < count {
            report.add(.recordUnknown, path, "\(count - right) records are invalid or of a later version")
        }
        order.finish()
        for problem in order.problems { report.add(problem.code, path, problem.message) }
        checkEnd(count, view, &report)
        let open = openUIDs(view, &report)
        compare(view, open, &report)
        if mailbox.check.verifyContent { try verify(digests, &report) }
        return view.pending.isEmpty
    }

    private func checkEnd(_ count: Int, _ view: MailboxView, _ report: inout CheckReport) {
        let last = log.base + UInt64(count)
        if last > status.modSeqCeiling || view.highestModSeq > status.modSeqCeiling {
            report.add(
                .modSeqAboveCeiling, path,
                "mod-sequence \(max(last, view.highestModSeq)) is above the ceiling, \(status.modSeqCeiling)")
        }
        if log.openedHeader.oldestAnswerable > last {
            report.add(
                .modSeqOrder, path,
                "the oldest answerable mod-sequence, \(log.openedHeader.oldestAnswerable), is above the last, \(last)")
        }
        if view.nextUID > status.uidCeiling {
            report.add(
                .uidAboveCeiling, path, "the next UID, \(view.nextUID), is above the ceiling, \(status.uidCeiling)")
        }
        if let clean = status.clean, view.cleanMark != clean {
            report.add(
                .cleanMarkWrong, path, "the status says it was closed at \(clean), but that is not its last record"
            )
        }
    }

    /// The UIDs whose names an open intent may have changed already.
    private func openUIDs(_ view: MailboxView, _ report: inout CheckReport) -> [ClosedRange<UInt32>] {
        var open: [ClosedRange<UInt32>] = []
        for intent in view.pending.values.sorted(by: { $0.record.uid < $1.record.uid }) {
            let record = intent.record
            let length = record.kind == .set ? max(1, record.messageSize) : 1
            open.append(record.uid...UInt32(clamping: UInt64(record.uid) + UInt64(length) - 1))
            report.add(
                .intentOpen, path,
                "an intent (\(record.kind) of \(record.uid)) will be settled when the mailbox is next opened")
        }
        return open
    }

    /// Compares the log's messages and flags with the names.
    private func compare(_ view: MailboxView, _ open: [ClosedRange<UInt32>], _ report: inout CheckReport) {
        func isOpen(_ uid: UInt32) -> Bool { open.contains { $0.contains(uid) } }
        view.list.forEach { entry in
            let uid = entry.uid.rawValue
            if isOpen(uid) { return }
            guard let named = mailbox.names[uid] else {
                report.add(.messageMissing, mailbox.path, "message \(uid) is in the log but has no file")
                return
            }
            let at = "\(mailbox.path)/\(named.path)"
            // Racing records may be in a different order than their renames: then only the name counts.
            if named.flags != entry.flags, !view.unconfirmed.contains(uid) {
                report.add(.flagsDiffer, at, "the log says its flags are '\(entry.flags.letters)'")
            }
            if named.size != entry.size {
                report.add(.sizeDiffers, at, "the file has \(named.size) bytes, the log says \(entry.size)")
            }
        }
        for (uid, named) in mailbox.names.sorted(by: { $0.key < $1.key }) {
            if isOpen(uid) || view.list.entry(of: UID(uid)) != nil { continue }
            report.add(.messageUnlogged, "\(mailbox.path)/\(named.path)", "the message is not in the log")
        }
    }

    private func verify(_ digests: [UInt32: ContentDigest], _ report: inout CheckReport) throws(StoreError) {
        for (uid, named) in mailbox.names.sorted(by: { $0.key < $1.key }) {
            guard let digest = digests[uid], digest != .unknown else { continue }
            let at = "\(mailbox.path)/\(named.path)"
            do {
                let file = try MessageFile.open(mailbox.system, mailbox.directory, named.path, uid: UID(uid))
                // Renamed or expunged since: nothing to report.
                guard let file else { continue }
                if try file.digest() != digest {
                    report.add(
                        .digestDiffers, at, "its content has changed: the digest in the log is \(digest)")
                }
            } catch {
                report.add(.unreadable, at, error.message)
            }
        }
    }
}

/// Checks the order of records: mod-sequences rise with the place, UIDs rise and never return.
struct RecordOrder {
    struct Problem {
        var code: CheckFinding.Code
        var message: String
    }

    let base: UInt64
    private(set) var problems: [Problem] = []
    /// Records with an explicit mod-sequence, which precede all others.
    private var ownModSeqs = 0
    private var highestOwn: ModSeq = 0
    private var sawPlain = false
    private var lastUID: UInt32 = 0
    private var gone: Set<UInt32> = []

    init(base: UInt64) { self.base = base }

    mutating func take(_ record: LogRecord, at place: Int) {
        if record.modSeq != 0 {
            if sawPlain {
                add(.modSeqOrder, "record \(place) has an explicit mod-sequence after a record without one")
            }
            ownModSeqs += 1
            highestOwn = max(highestOwn, record.modSeq)
        } else {
            sawPlain = true
        }
        guard record.isDone else { return }
        switch record.kind {
        case .append:
            // Records of a compacted log keep the order of the old log.
            if record.modSeq == 0, record.uid <= lastUID {
                add(.uidOrder, "message \(record.uid) was appended after \(lastUID)")
            }
            appear(record.uid, place)
        case .kept: appear(record.uid, place)
        case .expunge: gone.insert(record.uid)
        case .flags where gone.contains(record.uid):
            add(.uidReturned, "record \(place) changes the flags of \(record.uid), which was expunged earlier")
        default: break
        }
    }

    mutating func finish() {
        // The next record without an explicit mod-sequence has the one after this.
        if highestOwn > base + UInt64(ownModSeqs) {
            add(.modSeqOrder, "a kept record has mod-sequence \(highestOwn), which conflicts with another change")
        }
    }

    private mutating func appear(_ uid: UInt32, _ place: Int) {
        if gone.contains(uid) { add(.uidReturned, "record \(place) adds \(uid), which was expunged earlier") }
        lastUID = max(lastUID, uid)
    }

    private mutating func add(_ code: CheckFinding.Code, _ message: String) {
        problems.append(Problem(code: code, message: message))
    }
}
