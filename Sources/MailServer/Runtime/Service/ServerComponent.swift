package import Logging
package import NIOCore

/// A part of the server that lives as long as the server does: listeners of a protocol, the store, limits, a pool of
/// threads, a worker.
///
/// A component takes its dependencies and its settings when it is made, and from a reload on works with the new settings.
/// Components start in the order of their dependencies and stop in reverse, so that what a component works with is
/// there as long as it is.
package protocol ServerComponent: Sendable {
    /// The settings that a reload replaces.
    associatedtype Settings: Sendable, Equatable = NoSettings

    /// Opens whatever clients see, once all components are made.
    /// - Parameter logger: the server's own.
    func start(_ logger: Logger) async throws(StartError)

    /// Works until its task is cancelled; returns when there is nothing to do by itself.
    func run() async

    /// Checks new settings and readies what they need. Nothing changes yet, because another component may refuse its own.
    /// - Returns: puts them in force; called when all components have accepted theirs.
    func reload(_ settings: Settings) async throws(StartError) -> ReloadAction

    /// Ends: nothing new is begun, and work under way has at most `grace` to finish.
    func shutdown(grace: TimeAmount) async
}

/// Puts new settings in force; it cannot fail.
package typealias ReloadAction = @Sendable () async -> Void

/// The settings of a component that has none that a reload could change.
package struct NoSettings: Sendable, Equatable {
    package init() {}
}

extension ServerComponent {
    package func start(_ logger: Logger) async throws(StartError) {}

    package func run() async {}

    package func shutdown(grace: TimeAmount) async {}
}

extension ServerComponent where Settings == NoSettings {
    package func reload(_ settings: NoSettings) async throws(StartError) -> ReloadAction { {} }
}

/// A component that takes any settings there are.
package protocol UpdatableComponent: ServerComponent {
    /// Puts new settings in force.
    func update(_ settings: Settings)
}

extension UpdatableComponent {
    package func reload(_ settings: Settings) async throws(StartError) -> ReloadAction {
        { [self] in update(settings) }
    }
}
