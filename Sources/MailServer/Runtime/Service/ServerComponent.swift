package import Logging
package import NIOCore

/// A part of the server that lives as long as the server: the listeners of a protocol, the store, the limits, a thread
/// pool, a worker.
///
/// A component gets its dependencies and settings at initialization; a reload replaces the settings. Components start
/// in dependency order and stop in reverse, so a component's dependencies outlive it.
package protocol ServerComponent: Sendable {
    /// The reloadable settings.
    associatedtype Settings: Sendable, Equatable = NoSettings

    /// Opens whatever clients see, after all components are created.
    /// - Parameter logger: the server's logger.
    func start(_ logger: Logger) async throws(StartError)

    /// Does background work until its task is cancelled; returns at once if there is none.
    func run() async

    /// Validates new settings and prepares for them. Nothing changes yet, because another component may refuse its own.
    /// - Returns: The action that applies them; called once all components have accepted theirs.
    func reload(_ settings: Settings) async throws(StartError) -> ReloadAction

    /// Shuts down: no new work begins, and work in progress gets at most `grace` to finish.
    func shutdown(grace: TimeAmount) async
}

/// Applies new settings; cannot fail.
package typealias ReloadAction = @Sendable () async -> Void

/// The settings of a component without reloadable settings.
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

/// A component that accepts any settings.
package protocol UpdatableComponent: ServerComponent {
    /// Applies new settings.
    func update(_ settings: Settings)
}

extension UpdatableComponent {
    package func reload(_ settings: Settings) async throws(StartError) -> ReloadAction {
        { [self] in update(settings) }
    }
}
