import DurableFiles
import Primitives

/// Where the messages in `.expunged/` are, as its directories were listed last: a client may ask for thousands of
/// messages that another one expunged, and a listing for each would cost the square of their number.
struct ExpungedIndex: Sendable {
    private struct Hour {
        let stamp: FileStamp
        /// The directory may have changed after it was listed without another time.
        let isYoung: Bool
        var flags: [UInt32: MessageFlags] = [:]
        /// Names that the flags do not tell.
        var nonCanonical: [UInt32: String] = [:]
    }

    private var hours: [String: Hour] = [:]

    /// Nanoseconds within which two changes of a directory can have one time.
    private static let resolution: Int64 = 2_000_000_000

    /// Where the message was under a mailbox's UIDVALIDITY; below the mailbox's directory.
    func path(of uid: UID, _ uidValidity: UInt32) -> String? {
        for (name, hour) in hours {
            let flags = hour.flags[uid.rawValue]
            let file = flags.map { ExpungedName.string(uidValidity, uid, $0) } ?? hour.nonCanonical[uid.rawValue]
            if let file { return "\(ExpungedName.directory)/\(name)/\(file)" }
        }
        return nil
    }

    /// Lists again what may have changed.
    ///
    /// - Parameter trustsTimes: false where other machines set them.
    /// - Returns: False when nothing did.
    mutating func refresh(
        _ system: SystemCalls, _ directory: Int32, _ uidValidity: UInt32, trustsTimes: Bool
    ) throws(StoreError) -> Bool {
        var found: [String: Hour] = [:]
        var hasChanged = false
        // Of before the listing, and rounded down.
        let now = Clocks.wall() * 1_000_000_000
        for name in try system.files.names(directory, ExpungedName.directory) where ExpungedName.isHour(name) {
            let path = "\(ExpungedName.directory)/\(name)"
            let status: FileStatus
            do throws(Errno) { status = try system.status(directory, path) } catch .notFound {
                continue
            } catch {
                throw StoreError.system(error, "look at \(path)")
            }
            let stamp = FileStamp(inode: status.inode, size: status.size, modified: status.modified)
            if let known = hours[name], known.stamp == stamp, !known.isYoung {
                found[name] = known
                continue
            }
            let (age, overflow) = now.subtractingReportingOverflow(status.modified)
            var hour = Hour(stamp: stamp, isYoung: !trustsTimes || overflow || age < Self.resolution)
            for file in try system.files.names(directory, path).lazy.compactMap({ ExpungedName($0) })
            where file.uidValidity == uidValidity {
                if file.name == ExpungedName.string(uidValidity, UID(file.uid), file.flags) {
                    hour.flags[file.uid] = file.flags
                } else {
                    hour.nonCanonical[file.uid] = file.name
                }
            }
            found[name] = hour
            hasChanged = true
        }
        if found.count != hours.count { hasChanged = true }
        hours = found
        return hasChanged
    }
}
