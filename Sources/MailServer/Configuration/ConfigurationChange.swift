/// The keys that a reload changes.
package struct ConfigurationChange: Sendable, Equatable {
    /// Keys whose new value takes effect at once.
    package let applied: [String]
    /// Keys whose new value takes effect after a restart.
    package let needRestart: [String]

    package init(from old: Configuration, to new: Configuration) {
        let changed = ConfigurationKey.all.filter { $0.get(old) != $0.get(new) }
        applied = changed.filter { !$0.needsRestart }.map(\.path)
        needRestart = changed.filter(\.needsRestart).map(\.path)
    }

    /// Returns `new` with the running values of all keys that need a restart.
    package static func applicable(_ new: Configuration, over running: Configuration) -> Configuration {
        var merged = new
        for key in ConfigurationKey.all where key.needsRestart {
            // Cannot fail: every key accepts its own output.
            _ = key.set(&merged, key.get(running))
        }
        return merged
    }
}
