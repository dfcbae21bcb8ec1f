import Logging
import NIOCore
import Primitives
import Testing

@testable import MailServer
@testable import ServerConfiguration
@testable import ServerRuntime

@Suite struct ComponentListTests {
    private struct Settings: ComponentSettings {
        let hostname: String
        init(_ configuration: Configuration) { hostname = configuration.hostname }
    }

    /// Records every call; refuses settings with the hostname of its name.
    private struct Recorder: ServerComponent {
        let name: String
        let calls: Locked<[String]>

        func start(_ logger: Logger) async throws(StartError) { note("start") }

        func reload(_ settings: Settings) async throws(StartError) -> ReloadAction {
            if settings.hostname == name { throw StartError("\(name) refuses") }
            note("check")
            return { note("apply \(settings.hostname)") }
        }

        func shutdown(grace: TimeAmount) async { note("shutdown") }

        private func note(_ call: String) { calls.withLock { $0.append("\(name) \(call)") } }
    }

    private let calls = Locked<[String]>([])
    private let components: ComponentList

    init() {
        var components = ComponentList()
        for name in ["one", "two", "three"] { components.add(Recorder(name: name, calls: calls)) }
        self.components = components
    }

    @Test func componentsStartInOrderAndStopInReverse() async throws {
        try await components.start(Logger(label: "test"))
        await components.shutdown(components.run(), grace: .seconds(1))
        #expect(
            calls.withLock { $0 } == [
                "one start", "two start", "three start", "three shutdown", "two shutdown", "one shutdown",
            ])
    }

    @Test func everyComponentAcceptsBeforeTheFirstChanges() async throws {
        var configuration = Configuration()
        configuration.hostname = "other.example.org"
        try await components.reload(configuration)
        #expect(
            calls.withLock { $0 } == [
                "one check", "two check", "three check", "one apply other.example.org", "two apply other.example.org",
                "three apply other.example.org",
            ])
    }

    @Test func oneRefusalKeepsTheSettingsOfAll() async throws {
        var configuration = Configuration()
        configuration.hostname = "three"
        await #expect(throws: StartError.self) { try await components.reload(configuration) }
        #expect(calls.withLock { $0 } == ["one check", "two check"])
    }

    @Test func onlyComponentsWithOtherSettingsAreConcerned() {
        var configuration = Configuration()
        let old = configuration
        #expect(components.concerned(from: old, to: configuration).isEmpty)
        configuration.hostname = "other.example.org"
        #expect(components.concerned(from: old, to: configuration) == ["Recorder", "Recorder", "Recorder"])
    }
}
