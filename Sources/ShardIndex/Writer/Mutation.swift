/// A change to a cache, to be written by the writer thread.
enum Mutation: Sendable {
    case put(key: [UInt8], value: [UInt8])
    case delete(key: [UInt8])
    case deletePrefix([UInt8])

    /// Bytes that the change counts for in the queue.
    var cost: Int {
        switch self {
        case .put(let key, let value): key.count + value.count + 64
        case .delete(let key), .deletePrefix(let key): key.count + 64
        }
    }
}
