/// The code in the brackets of a status response.
public enum IMAPResponseCode: Sendable, Equatable {
    // RFC 9051 section 7.1
    case alert
    case badCharset([String])
    case capability([String])
    case parse
    case permanentFlags([IMAPFlag])
    case readOnly
    case readWrite
    case tryCreate
    case uidNext(UInt32)
    case uidValidity(UInt32)
    case unseen(UInt32)
    /// The former mailbox is closed; from here on, responses belong to the new one.
    case closed
    // RFC 5530
    case unavailable
    case authenticationFailed
    case authorizationFailed
    case expired
    case privacyRequired
    case contactAdmin
    case noPerm
    case inUse
    case expungeIssued
    case corruption
    case serverBug
    case clientBug
    case cannot
    case limit
    case overQuota
    case alreadyExists
    case nonexistent
    // UIDPLUS, RFC 4315
    case appendUID(uidValidity: UInt32, uids: [ClosedRange<UInt32>])
    /// The two lists pair up in order; the encoder neither merges nor sorts them.
    case copyUID(uidValidity: UInt32, source: [ClosedRange<UInt32>], destination: [ClosedRange<UInt32>])
    case uidNotSticky
    // RFC 7162
    case highestModSeq(UInt64)
    case noModSeq
    /// Messages that a conditional STORE left alone.
    case modified([ClosedRange<UInt32>])
    // Others
    /// RFC 5182
    case notSaved
    /// RFC 6154
    case useAttr
    /// RFC 5464; octets of the longest value left out
    case metadataLongEntries(UInt64)
    case metadataMaxSize(UInt64)
    case metadataTooMany
    case metadataNoPrivate
    /// RFC 5465
    case notificationOverflow
    case badEvent([String])
    /// RFC 8474
    case mailboxID(String)
    /// RFC 3516
    case unknownCTE
    /// RFC 9585; progress counts
    case inProgress(tag: String?, done: UInt32?, goal: UInt32?)
    /// RFC 4978
    case compressionActive
    /// RFC 4469 and 7889
    case tooBig
    /// RFC 9051 section 6.3.5: DELETE of a mailbox that has children
    case hasChildren
}
