package import ServerRuntime
package import ShardFS

extension Turn {
    /// Counts work as ``spend(_:)`` does, for callers that fail with the engine's errors. The pool puts the reason in
    /// place of the error.
    package static func use(_ units: Int) throws(StoreError) {
        do throws(TurnEnded) {
            try spend(units)
        } catch {
            throw StoreError(.busy, "the work was given up")
        }
    }

    /// Counts work of what cannot end in the middle: others have their turns, but nothing stops it.
    package static func note(_ units: Int) { try? spend(units) }
}
