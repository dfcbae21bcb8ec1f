/// Why the server did not start or stopped: one plain sentence that says what to do.
package struct StartError: Error, Sendable, CustomStringConvertible {
    package let description: String
    /// The configuration is to blame.
    package let isConfiguration: Bool

    package init(_ description: String, isConfiguration: Bool = false) {
        self.description = description
        self.isConfiguration = isConfiguration
    }
}

extension BlockingPool {
    /// Runs a part of the start, or of a reload, that blocks.
    package func runStart<R: Sendable>(
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
