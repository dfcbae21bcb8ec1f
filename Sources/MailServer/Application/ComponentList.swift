import Logging
import NIOCore
import ServerConfiguration
import ServerRuntime

/// Settings of a component, as the configuration has them. There is no other way from one to the other, so a component
/// gets from a reload what it got at the start.
protocol ComponentSettings: Sendable, Equatable {
    init(_ configuration: Configuration)
}

/// The components of a server, in the order of their start.
struct ComponentList: Sendable {
    private struct Entry: Sendable {
        let name: String
        /// Stops together with its neighbours that have clients, so that all clients have the whole grace.
        let hasClients: Bool
        let start: @Sendable (Logger) async throws(StartError) -> Void
        let run: @Sendable () async -> Void
        let reload: @Sendable (Configuration) async throws(StartError) -> ReloadAction
        let shutdown: @Sendable (TimeAmount) async -> Void
        let isConcerned: @Sendable (_ old: Configuration, _ new: Configuration) -> Bool
    }

    private var entries: [Entry] = []

    /// Adds a component behind those that it depends on.
    /// - Returns: the component, for those that depend on it.
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

    /// Starts all, in order.
    func start(_ logger: Logger) async throws(StartError) {
        for entry in entries { try await entry.start(logger) }
    }

    /// Lets all work by themselves.
    /// - Returns: a task for each, in order.
    func run() -> [Task<Void, Never>] { entries.map { entry in Task { await entry.run() } } }

    /// Checks new settings with every component before the first takes any.
    func reload(_ configuration: Configuration) async throws(StartError) {
        var actions: [ReloadAction] = []
        for entry in entries { actions.append(try await entry.reload(configuration)) }
        for action in actions { await action() }
    }

    /// The components that have other settings under `new` than under `old`.
    func concerned(from old: Configuration, to new: Configuration) -> [String] {
        entries.filter { $0.isConcerned(old, new) }.map(\.name)
    }

    /// Stops all, in reverse.
    /// - Parameter tasks: what ``run()`` returned, or nothing.
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
