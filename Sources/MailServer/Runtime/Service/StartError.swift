/// Why the server did not start or stopped: one plain sentence that says what to do.
public struct StartError: Error, Sendable, CustomStringConvertible {
    public let description: String
    /// The configuration is to blame.
    public let isConfiguration: Bool

    public init(_ description: String, isConfiguration: Bool = false) {
        self.description = description
        self.isConfiguration = isConfiguration
    }
}

extension BlockingPool {
    /// Runs a part of the start, or of a reload, that blocks.
    public func runStart<R: Sendable>(
        _ body: @escaping @Sendable () throws(StartError) -> R
    ) async throws(StartError) -> R {
        do throws(PoolError<StartError>) {
            return try await run(body)
        } catch {
            if case .work(let failure) = error { throw failure }
            throw StartError("\(error)")
        }
    }
}
