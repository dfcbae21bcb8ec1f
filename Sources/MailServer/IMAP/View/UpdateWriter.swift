import IMAPCodec
import MailAccess
import NIOCore
import ShardFS

/// The form in which mailbox updates are sent to a client.
struct UpdateForm: Sendable {
    var encoder = IMAPResponseEncoder()
    /// VANISHED in place of EXPUNGE (RFC 7162 section 3.2.10).
    var usesVanished = false
    /// MODSEQ beside flags.
    var usesModSeq = false
    var usesRecent = false
    /// Whether changed flags are reported at all, and with UIDs.
    var reportsFlags = true
    var reportsUIDs = false
}

/// Writes the untagged responses of a mailbox update, in pieces of bounded size: an update of any number of messages
/// takes no more memory than a piece and, for expunged messages, the ranges of their numbers.
///
/// It is passed to the pool and back for every piece, so its position is part of the value. RFC 3501 section 7.4,
/// RFC 7162.
struct UpdateWriter: Sendable {
    /// A message changed by the client's own command.
    struct Own: Sendable {
        var entry: MessageEntry
        /// The client can work out the new flags by itself.
        var isKnown: Bool
    }

    private let form: UpdateForm
    /// The view after the update.
    private let view: SelectedMailbox
    private let known: [UInt32: ModSeq]
    private let isEarlier: Bool
    private var vanished: ArraySlice<ClosedRange<UInt32>> = []
    private var expunged: [ClosedRange<UInt32>] = []
    private var counts: ViewUpdate?
    /// UIDs of messages that may have changed, from the next one to check.
    private var changed: ClosedRange<UInt32>?
    private let changedSince: ModSeq
    private var own: ArraySlice<Own> = []
    private var reportsOwnUIDs = false

    /// Ranges in one VANISHED response: a line of at most 8,800 octets, near the limit that RFC 7162 section 4 sets for
    /// clients.
    private static let vanishedRanges = 400

    /// - Parameters:
    ///   - view: the view after the whole update.
    ///   - known: mod-sequences of changes that the client made itself or has already received, by UID.
    init(_ update: ViewUpdate, of view: SelectedMailbox, known: [UInt32: ModSeq], form: UpdateForm) {
        self.form = form
        self.view = view
        self.known = known
        isEarlier = false
        counts = update
        if form.usesVanished { vanished = update.vanished[...] } else { expunged = update.expunged }
        changed = form.reportsFlags ? update.changed : nil
        changedSince = update.changedSince
    }

    /// Reports UIDs expunged before the client's view of the mailbox began, so that no sequence numbers change.
    init(vanishedEarlier uids: [ClosedRange<UInt32>], of view: SelectedMailbox, form: UpdateForm) {
        self.form = form
        self.view = view
        known = [:]
        isEarlier = true
        changedSince = 0
        vanished = uids[...]
    }

    /// Adds the changes of the client's own command, to be reported after everything else.
    mutating func add(own changes: [Own], withUID: Bool) { (own, reportsOwnUIDs) = (changes[...], withUID) }

    /// Writes about `limit` octets.
    ///
    /// - Returns: True when all is written.
    mutating func produce(into buffer: inout ByteBuffer, limit: Int) -> Bool {
        while buffer.readableBytes < limit {
            if !vanished.isEmpty {
                let ranges = Array(vanished.prefix(Self.vanishedRanges))
                form.encoder.encode(.vanished(earlier: isEarlier, ranges), into: &buffer)
                vanished = vanished.dropFirst(Self.vanishedRanges)
            } else if let last = expunged.popLast() {
                // Highest first: an EXPUNGE renumbers only messages above it.
                form.encoder.encode(.expunge(last.upperBound), into: &buffer)
                if last.count > 1 { expunged.append(last.lowerBound...last.upperBound - 1) }
            } else if let update = counts {
                counts = nil
                writeCounts(update, into: &buffer)
            } else if let range = changed {
                writeChanged(range, into: &buffer, limit: limit)
            } else if let change = own.popFirst() {
                write(change, into: &buffer)
            } else {
                return true
            }
        }
        return false
    }

    private func writeCounts(_ update: ViewUpdate, into buffer: inout ByteBuffer) {
        if let flags = update.flags {
            form.encoder.encode(.flags(flags), into: &buffer)
            if !view.isReadOnly {
                let code = IMAPResponseCode.permanentFlags(flags + [.newKeywords])
                form.encoder.encode(.status(tag: nil, .ok, code: code, text: "New keywords"), into: &buffer)
            }
        }
        if let exists = update.exists { form.encoder.encode(.exists(exists), into: &buffer) }
        if let recent = update.recent, form.usesRecent { form.encoder.encode(.recent(recent), into: &buffer) }
    }

    private mutating func writeChanged(
        _ range: ClosedRange<UInt32>, into buffer: inout ByteBuffer, limit: Int
    ) {
        struct EndOfPage: Error { var next: UInt32 }
        do throws(EndOfPage) {
            try view.snapshot.messages.forEachChanged(since: changedSince, in: .init(range)) {
                place, entry throws(EndOfPage) in
                let uid = entry.uid.rawValue
                guard buffer.readableBytes < limit else { throw EndOfPage(next: uid) }
                guard known[uid] != entry.modSeq else { return }
                let number = UInt32(clamping: place + view.pendingExpungeCount(below: uid) + 1)
                writeFlags(of: entry, number, withUID: form.reportsUIDs, into: &buffer)
            }
            changed = nil
        } catch {
            changed = error.next...range.upperBound
        }
    }

    private func write(_ change: Own, into buffer: inout ByteBuffer) {
        let uid = change.entry.uid.rawValue
        guard let now = view.entry(of: uid) else { return }
        let number = view.sequenceNumber(of: uid)
        // A later change may have been reported already; this older state would undo it.
        let isOld = now.modSeq > change.entry.modSeq
        if !change.isKnown {
            writeFlags(of: isOld ? now : change.entry, number, withUID: reportsOwnUIDs, into: &buffer)
        } else if !isOld {
            // After a silent STORE, a client that follows mod-sequences still needs the new one.
            var writer = IMAPFetchWriter(sequenceNumber: number, utf8: form.encoder.utf8, into: &buffer)
            writer.write(.uid(uid), into: &buffer)
            writer.write(.modSeq(now.modSeq), into: &buffer)
            writer.end(into: &buffer)
        }
    }

    /// Writes an unsolicited FETCH with a message's flags.
    private func writeFlags(
        of entry: MessageEntry, _ number: UInt32, withUID: Bool, into buffer: inout ByteBuffer
    ) {
        let uid = entry.uid.rawValue
        var writer = IMAPFetchWriter(sequenceNumber: number, utf8: form.encoder.utf8, into: &buffer)
        // A client that follows mod-sequences needs the UID beside them (RFC 7162 section 3.2.4).
        if withUID || form.usesModSeq { writer.write(.uid(uid), into: &buffer) }
        writer.write(.flags(view.flags(of: entry)), into: &buffer)
        if form.usesModSeq { writer.write(.modSeq(entry.modSeq), into: &buffer) }
        writer.end(into: &buffer)
    }
}
