import DurableFiles
import TestSupport
import Testing

@testable import ServerConfiguration

private func surroundings(
    root: Bool = false, environment: [String: String] = ["HOME": "/home/a"]
) -> ConfigurationSource.Surroundings {
    ConfigurationSource.Surroundings(environment: environment, workingDirectory: "/srv", isRoot: root)
}

@Suite struct ConfigurationSourceTests {
    @Test func pathsAreRelativeToTheFile() {
        var configuration = Configuration()
        configuration.tls.certFile = "certs/c.pem"
        configuration.tls.keyFile = "/abs/k.pem"
        let resolved = configuration.resolved(base: "conf", surroundings: surroundings())
        #expect(resolved.mailRoot == "/srv/conf/mailstore")
        #expect(resolved.tls.certFile == "/srv/conf/certs/c.pem")
        #expect(resolved.tls.keyFile == "/abs/k.pem")
        #expect(resolved.storage.statePath == "/home/a/.local/state/rmail")
        #expect(resolved.index.path == "/home/a/.local/state/rmail/cache")
    }

    @Test func theStatePathFollowsUserAndVariable() {
        let root = Configuration().resolved(base: "/", surroundings: surroundings(root: true))
        #expect(root.storage.statePath == "/var/lib/rmail")
        let variable = Configuration().resolved(
            base: "/", surroundings: surroundings(environment: ["XDG_STATE_HOME": "/s/"]))
        #expect(variable.storage.statePath == "/s/rmail")
    }

    @Test func loadingReadsTheFileAndTheEnvironment() throws {
        let directory = TemporaryDirectory()
        let files = PathFiles()
        let path = directory.path + "/config.json"
        try files.publish(Array(#"{"hostname": "a.example", "mail_root": "m"}"#.utf8), at: path, replacing: false)
        let source = ConfigurationSource(
            path: path, surroundings: surroundings(environment: ["RMAIL_SMTP_PORT": "2525"]), files: files)
        let (configuration, _) = try source.load(files)
        #expect(configuration.hostname == "a.example")
        #expect(configuration.mailRoot == directory.path + "/m")
        #expect(configuration.smtp.port == 2525)
    }

    @Test func aMissingFileAndAStatePathInTheStoreAreRefused() throws {
        let directory = TemporaryDirectory()
        let files = PathFiles()
        let path = directory.path + "/config.json"
        let source = ConfigurationSource(path: path, surroundings: surroundings(), files: files)
        #expect(throws: ConfigurationError("there is no configuration at \(path); create one with 'rmail init'")) {
            try source.load(files)
        }
        let text = #"{"mail_root": "m", "storage": {"state_path": "./m/state"}}"#
        try files.publish(Array(text.utf8), at: path, replacing: false)
        let error = #expect(throws: ConfigurationError.self) { try source.load(files) }
        #expect(error?.problems.map(\.key) == ["storage.state_path"])
    }

    @Test func aReloadTellsWhatWaitsForARestart() {
        let old = Configuration()
        var new = old
        new.smtp.port = 26
        new.storage.threads = 9
        new.smtp.maxRecipients = 7
        new.logLevel = .debug
        let change = ConfigurationChange(from: old, to: new)
        #expect(change.needRestart == ["smtp.port", "storage.threads"])
        #expect(change.applied == ["log_level", "smtp.max_recipients"])
        let merged = ConfigurationChange.applicable(new, over: old)
        #expect(merged.smtp.port == 25)
        #expect(merged.storage.threads == nil)
        #expect(merged.smtp.maxRecipients == 7)
        #expect(ConfigurationChange(from: old, to: old) == ConfigurationChange(from: new, to: new))
    }
}
