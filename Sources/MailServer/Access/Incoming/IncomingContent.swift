package import MIME
import Primitives
package import ShardFS
package import ShardIndex

/// A message being written to the store, and its summary for the read cache: parsed while it streams in, so that the
/// first read is as fast as the second. For one writer at a time; blocks.
package final class IncomingContent: Sendable {
    package let staged: StagedMessage
    private let state: Locked<Summary>

    private enum Summary {
        case none
        case building(SummaryBuilder)
        case done([UInt8]?)
    }

    /// - Parameters:
    ///   - limits: nil if no read cache wants a summary.
    ///   - memory: bytes that may be kept of the message while it comes in; one that needs more gets no summary before
    ///     somebody reads it.
    package init(_ staged: StagedMessage, limits: ParseLimits?, memory: Int) {
        self.staged = staged
        state = Locked(limits.map { .building(SummaryBuilder(limits: $0, memory: memory)) } ?? .none)
    }

    package func write(_ bytes: UnsafeRawBufferPointer) throws(StoreError) {
        try staged.write(bytes)
        state.withLock { state in
            guard case .building(var builder) = state else { return }
            state = .none
            if builder.feed(bytes.bindMemory(to: UInt8.self).span) { state = .building(builder) }
        }
    }

    package func write(_ bytes: [UInt8]) throws(StoreError) {
        let result: Result<Void, StoreError> = bytes.withUnsafeBytes { bytes in
            do throws(StoreError) { return .success(try write(bytes)) } catch { return .failure(error) }
        }
        try result.get()
    }

    /// Passes the summary to the read cache, now that the message has been published.
    package func keepSummary(in index: AccountIndex?, of mailbox: Mailbox, _ result: AppendResult, limits: ParseLimits)
    {
        guard let index, let summary = summary() else { return }
        SummaryCache(index, mailboxID: mailbox.id, uidValidity: result.uidValidity, limits: limits)
            .keep(summary, of: result.uid.rawValue)
    }

    /// Puts the summary in place of what it is made of: all is written.
    ///
    /// - Parameter memory: bytes that it may have; a larger one is dropped.
    /// - Returns: The bytes that it has.
    @discardableResult
    package func endSummary(memory: Int) -> Int {
        guard let summary = summary() else { return 0 }
        if summary.count <= memory { return summary.count }
        state.withLock { $0 = .none }
        return 0
    }

    /// About the memory of what is kept of the message, in bytes.
    package var memory: Int {
        state.withLock { state in
            switch state {
            case .none: 0
            case .building(let builder): builder.used
            case .done(let summary): summary?.count ?? 0
            }
        }
    }

    /// The summary of everything written; nil if none is wanted.
    private func summary() -> [UInt8]? {
        state.withLock { state in
            switch state {
            case .none: return nil
            case .done(let summary): return summary
            case .building(var builder):
                state = .none
                let summary = builder.finish()
                state = .done(summary)
                return summary
            }
        }
    }
}
