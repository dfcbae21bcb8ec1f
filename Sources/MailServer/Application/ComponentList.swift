import Logging
import NIOCore
import ServerConfiguration
import ServerRuntime

/// The settings of a component, derived from the configuration. This is the only derivation, so a reload and a start
/// give a component the same settings.
protocol ComponentSettings: Sendable, Equatable {
    init(_ configuration: Configuration)
}

/// The components of a server in start order.
struct ComponentList: Sendable {
    private struct Entry: Sendable {
        let name: String
        /// True for a component that serves clients. Adjacent ones stop concurrently, so that all clients get the full
        /// grace period.
        let hasClients: Bool
        let start: @Sendable (Logger) async throws(StartError) -> Void
        let run: @Sendable () async -> Void
        let reload: @Sendable (Configuration) async throws(StartError) -> ReloadAction
        let shutdown: @Sendable (TimeAmount) async -> Void
        let isConcerned: @Sendable (_ old: Configuration, _ new: Configuration) -> Bool
    }

    private var entries: [Entry] = []

    /// Appends a component; add its dependencies first.
    /// - Returns: The component, for its dependents.
    @discardableResult
    mutating func add<C: ServerComponent>(_ component: C) -> C where C.Settings: ComponentSettings {
        entries.append(
            Entry(
                name: "\(C.self)", hasClients: component is any ListeningComponent,
                start: { logger async throws(StartError) in try await component.start(logger) },
                run: { await component.run() },
                reload: { configuration async throws(StartError) in
                    try await component.reload(C.Settings(configuration))
                },
                shutdown: { await component.shutdown(grace: $0) },
                isConcerned: { C.Settings($0) != C.Settings($1) }))
        return component
    }

    /// Starts all components in order.
    func start(_ logger: Logger) async throws(StartError) {
        for entry in entries { try await entry.start(logger) }
    }

    /// Starts the background work of all components.
    /// - Returns: A task for each component, in order.
    func run() -> [Task<Void, Never>] { entries.map { entry in Task { await entry.run() } } }

    /// Applies new settings once every component has accepted them; if one refuses, nothing changes.
    func reload(_ configuration: Configuration) async throws(StartError) {
        var actions: [ReloadAction] = []
        for entry in entries { actions.append(try await entry.reload(configuration)) }
        for action in actions { await action() }
    }

    /// The names of the components whose settings differ between `old` and `new`.
    func concerned(from old: Configuration, to new: Configuration) -> [String] {
        entries.filter { $0.isConcerned(old, new) }.map(\.name)
    }

    /// Stops all components in reverse order.
    /// - Parameter tasks: the tasks returned by ``run()``; empty if it was not called.
    func shutdown(_ tasks: [Task<Void, Never>], grace: TimeAmount) async {
        var end = entries.count
        while end > 0 {
            let hasClients = entries[end - 1].hasClients
            var begin = end - 1
            while hasClients, begin > 0, entries[begin - 1].hasClients { begin -= 1 }
            await withTaskGroup { group in
                for index in begin..<end {
                    let entry = entries[index]
                    let task = index < tasks.count ? tasks[index] : nil
                    group.addTask {
                        task?.cancel()
                        await task?.value
                        await entry.shutdown(grace)
                    }
                }
            }
            end = begin
        }
    }
}
