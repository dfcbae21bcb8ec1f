import DurableFiles
import Glibc

/// Checks the rules of one mailbox: its names, status.json, and the log's header. `LogCheck` checks the records.
struct MailboxCheck {
    /// The facts about a mailbox that the account's rules need.
    struct Summary {
        var uidValidity: UInt32 = 0
        var mailboxID = ""
        var epoch: UInt64?
        var bytes: UInt64 = 0
        var messages = 0
        /// Intents are unsettled or a recovery is due, so the quota is not exact yet.
        var isUnsettled = false
    }

    /// A message in a shard.
    struct Named {
        var flags: MessageFlags
        var size: UInt32
        var identity: FileIdentity
        /// The path below the mailbox's directory.
        var path: String
    }

    let check: StoreCheck
    let system: SystemCalls
    let directory: Int32
    /// The mailbox's path below the store's root.
    let path: String

    private(set) var names: [UInt32: Named] = [:]
    /// The UIDs in `.expunged/`, by UIDVALIDITY.
    private(set) var expunged: [UInt32: Set<UInt32>] = [:]
    private var usedFlags: MessageFlags = []

    private static let files: Set<String> = [
        MailboxStatus.fileName, KeywordFile.fileName, LogFile.fileName, MailboxLocks.gateName, MailboxLocks.lockName,
        Mailbox.statusLockName, StagingArea.directoryName, ExpungedName.directory, "mailboxes",
    ]

    init(check: StoreCheck, system: SystemCalls, directory: Int32, path: String) {
        self.check = check
        self.system = system
        self.directory = directory
        self.path = path
    }

    mutating func run(_ report: inout CheckReport) throws(StoreError) -> Summary {
        let status = readStatus(&report)
        try readDirectory(&report)
        try readExpunged(&report)
        var summary = Summary()
        summary.uidValidity = status?.uidValidity ?? 0
        summary.mailboxID = status?.mailboxID ?? ""
        summary.epoch = status?.epoch
        for named in names.values { summary.bytes += UInt64(named.size) }
        summary.messages = names.count
        report.messages += names.count

        guard let status else {
            summary.isUnsettled = true
            return summary
        }
        for (validity, uids) in expunged where validity == status.uidValidity {
            for uid in uids.sorted() where names[uid] != nil {
                report.add(
                    .uidInShardAndExpunged, "\(path)/\(names[uid]?.path ?? "")",
                    "message \(uid) is in a shard and in \(ExpungedName.directory)/")
            }
        }
        checkStatus(status, &report)
        checkKeywords(status, &report)
        guard let log = openLog(status, &report) else {
            summary.isUnsettled = true
            return summary
        }
        let records = LogCheck(mailbox: self, status: status, log: log)
        if try !records.run(&report) { summary.isUnsettled = true }
        return summary
    }

    // MARK: names

    private mutating func readDirectory(_ report: inout CheckReport) throws(StoreError) {
        for name in try system.files.names(directory, ".").sorted() where !Self.files.contains(name) {
            if let number = ShardName.parse(name) {
                try readShard(number, name, &report)
            } else if StoreCheck.isTemporary(name) {
                report.add(.leftover, "\(path)/\(name)", "a temporary name left by a killed process")
            } else {
                report.add(.foreignName, "\(path)/\(name)", "not part of the store layout; left alone")
            }
        }
        try check.checkStaging(directory, path, &report)
    }

    private mutating func readShard(
        _ number: UInt32, _ shard: String, _ report: inout CheckReport
    ) throws(StoreError) {
        guard (try? system.status(directory, shard))?.isDirectory == true else {
            report.add(.foreignName, "\(path)/\(shard)", "it has the name of a shard but is not a directory")
            return
        }
        for name in try system.files.names(directory, shard).sorted() {
            let below = "\(shard)/\(name)"
            let at = "\(path)/\(below)"
            guard let parsed = MessageFileName.parse(name) else {
                report.add(.foreignName, at, "not the name of a message; left alone")
                continue
            }
            let status: FileStatus
            do { status = try system.status(directory, below) } catch .notFound {
                // Renamed or gone since the listing; the log is read later and knows.
                continue
            } catch {
                report.add(.unreadable, at, "could not stat it: \(error)")
                continue
            }
            guard status.isRegularFile, status.size <= Int64(UInt32.max) else {
                report.add(.notAFile, at, "it has the name of a message but is not a valid message file")
                continue
            }
            guard parsed.uid / UID.perShard == number else {
                report.add(
                    .wrongShard, at, "UID \(parsed.uid) belongs in shard \(ShardName.string(parsed.uid / UID.perShard))"
                )
                continue
            }
            if !parsed.isCanonical {
                report.add(.nonCanonicalName, at, "the name stands for UID \(parsed.uid) but is not in canonical form")
            }
            if let other = names[parsed.uid] {
                report.add(.uidTwice, at, "UID \(parsed.uid) has another name: \(other.path)")
                continue
            }
            usedFlags.formUnion(parsed.flags)
            names[parsed.uid] = Named(
                flags: parsed.flags, size: UInt32(status.size), identity: status.identity, path: below)
        }
    }

    private mutating func readExpunged(_ report: inout CheckReport) throws(StoreError) {
        for hour in try system.files.names(directory, ExpungedName.directory).sorted() {
            let below = "\(ExpungedName.directory)/\(hour)"
            if hour == Mailbox.undeleteLock { continue }
            guard ExpungedName.isHour(hour) else {
                report.add(.foreignName, "\(path)/\(below)", "not the name of an hour; left alone")
                continue
            }
            for name in try system.files.names(directory, below).sorted() {
                guard let file = ExpungedName(name) else {
                    report.add(.foreignName, "\(path)/\(below)/\(name)", "not the name of an expunged message")
                    continue
                }
                if !expunged[file.uidValidity, default: []].insert(file.uid).inserted {
                    report.add(.uidTwice, "\(path)/\(below)/\(name)", "message \(file.uid) was expunged twice")
                }
            }
        }
    }

    // MARK: status.json

    private func readStatus(_ report: inout CheckReport) -> MailboxStatus? {
        let at = "\(path)/\(MailboxStatus.fileName)"
        do {
            guard let bytes = try system.files.read(MailboxStatus.fileName, in: directory) else {
                report.add(.statusMissing, at, "there is no \(MailboxStatus.fileName); the log can rebuild it")
                return nil
            }
            return try MailboxStatus(parsing: bytes)
        } catch {
            report.add(.statusBad, at, error.message)
            return nil
        }
    }

    private func checkStatus(_ status: MailboxStatus, _ report: inout CheckReport) {
        let at = "\(path)/\(MailboxStatus.fileName)"
        guard status.epoch != nil else { return }
        if status.mailboxID.utf8.count != 32 || !status.mailboxID.utf8.allSatisfy(Self.isHexadecimal) {
            report.add(.statusInsane, at, "the mailbox id is not 32 hexadecimal digits")
        }
        if status.uidFloor > status.uidCeiling || status.uidCeiling > MailboxStatus.uidEnd {
            report.add(.statusInsane, at, "UID floor \(status.uidFloor) and ceiling \(status.uidCeiling) are invalid")
        }
        if status.modSeqFloor > status.modSeqCeiling || status.modSeqCeiling > MailboxStatus.modSeqEnd {
            report.add(
                .statusInsane, at,
                "mod-sequence floor \(status.modSeqFloor) and ceiling \(status.modSeqCeiling) are invalid")
        }
        if let highest = names.keys.max(), UInt64(highest) >= status.uidCeiling {
            report.add(.uidAboveCeiling, at, "message \(highest) is not below the ceiling, \(status.uidCeiling)")
        }
        if let highest = expunged[status.uidValidity]?.max(), UInt64(highest) >= status.uidCeiling {
            report.add(
                .uidAboveCeiling, at, "expunged message \(highest) is not below the ceiling, \(status.uidCeiling)")
        }
        for letter in usedFlags.intersection(.keywordMask).letters.utf8 where status.keywords.names[letter] == nil {
            report.add(.unknownFlag, at, "the keyword letter \(Character(UnicodeScalar(letter))) has no name")
        }
        let foreign = usedFlags.subtracting(MessageFlags.system.union(.keywordMask))
        if !foreign.isEmpty { report.add(.unknownFlag, path, "names contain the unknown flags \(foreign.letters)") }
    }

    private func checkKeywords(_ status: MailboxStatus, _ report: inout CheckReport) {
        let at = "\(path)/\(KeywordFile.fileName)"
        do throws(StoreError) {
            guard let file = try system.files.keywordFile(in: directory) else { return }
            if !file.isWhole {
                report.add(.documentBad, at, "it has names that are no keywords, or UIDs in another form than `1:5,9`")
            }
            if !file.fits(status.uidValidity) {
                report.add(.documentBad, at, "it has more keywords than a mailbox can have")
            }
            let highest = file.keywords[status.uidValidity]?.highestUID ?? 0
            if UInt64(highest) >= status.uidCeiling {
                report.add(.uidAboveCeiling, at, "message \(highest) is not below the ceiling, \(status.uidCeiling)")
            }
        } catch {
            report.add(error.errno == nil ? .documentBad : .unreadable, at, error.message)
        }
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool { (48...57).contains(byte) || (97...102).contains(byte) }

    // MARK: the log's header

    /// The log, if the names are to be compared with it.
    private func openLog(_ status: MailboxStatus, _ report: inout CheckReport) -> LogFile? {
        let at = "\(path)/\(LogFile.fileName)"
        let log: LogFile?
        do { log = try LogFile.open(system, in: directory, readOnly: true) } catch {
            report.add(.logHeaderBad, at, error.message)
            return nil
        }
        guard let log else {
            if (try? system.status(directory, LogFile.fileName)) != nil {
                report.add(.logHeaderBad, at, "neither slot of the header is valid")
            } else if status.epoch == nil {
                report.add(.oldProgram, path, "a mailbox of the old program; converted when it is first opened")
            } else {
                report.add(.logMissing, at, "there is no \(LogFile.fileName); the names can rebuild it")
            }
            return nil
        }
        if let boot = check.bootID, let last = status.boots[check.node], !BootID.isSame(last, boot), status.clean == nil
        {
            report.add(.needsRecovery, path, "the machine was restarted since the mailbox was last open")
            return nil
        }
        guard let epoch = status.epoch, log.epoch == epoch else {
            report.add(.logOfAnotherEpoch, at, "its epoch differs from that of \(MailboxStatus.fileName)")
            return nil
        }
        checkHeader(log.openedHeader, status, at, &report)
        return log
    }

    private func checkHeader(
        _ header: LogHeader, _ status: MailboxStatus, _ at: String, _ report: inout CheckReport
    ) {
        if header.uidValidity != status.uidValidity {
            report.add(
                .headerDisagrees, at,
                "UIDVALIDITY is \(header.uidValidity) here and \(status.uidValidity) in the status")
        }
        if header.mailboxID != status.mailboxID {
            report.add(.headerDisagrees, at, "the mailbox id differs from that in the status")
        }
        if header.uidCeiling > status.uidCeiling || header.modSeqCeiling > status.modSeqCeiling {
            report.add(.headerDisagrees, at, "a ceiling is above that in the status, which is written first")
        }
        for (letter, name) in header.keywords.names where status.keywords.names[letter] != name {
            report.add(
                .headerDisagrees, at, "keyword \(Character(UnicodeScalar(letter))) is \(name) here, not in the status")
        }
        if header.nextUID > status.uidCeiling {
            report.add(
                .uidAboveCeiling, at, "the next UID, \(header.nextUID), is above the ceiling, \(status.uidCeiling)")
        }
    }
}
