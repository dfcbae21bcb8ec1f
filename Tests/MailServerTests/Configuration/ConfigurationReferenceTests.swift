import Testing

@testable import ServerConfiguration

/// docs/configuration.md describes every key the way the program implements it.
@Suite struct ConfigurationReferenceTests {
    @Test func everyKeyIsListedWithItsDefault() throws {
        let rows = try ConfigurationReference().rows
        #expect(Set(rows.keys) == Set(ConfigurationKey.all.map(\.path)))
        let defaults = Configuration()
        for key in ConfigurationKey.all {
            #expect(rows[key.path]?.value == key.get(defaults), "\(key.path)")
            #expect(rows[key.path]?.needsRestart == key.needsRestart, "\(key.path)")
        }
    }
}
