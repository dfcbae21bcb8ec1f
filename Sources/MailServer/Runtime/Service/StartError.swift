/// The reason why a start or reload failed: one plain sentence that says what to do.
package struct StartError: Error, Sendable, CustomStringConvertible {
    package let description: String
    /// True if the configuration is at fault.
    package let isConfiguration: Bool

    package init(_ description: String, isConfiguration: Bool = false) {
        self.description = description
        self.isConfiguration = isConfiguration
    }
}

extension BlockingPool {
    /// Runs a blocking part of a start or reload.
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
