/// What a reload would change.
package struct ConfigurationChange: Sendable, Equatable {
    /// Keys whose new value holds from now on.
    package let applied: [String]
    /// Keys whose new value waits for a restart.
    package let needRestart: [String]

    package init(from old: Configuration, to new: Configuration) {
        let changed = ConfigurationKey.all.filter { $0.get(old) != $0.get(new) }
        applied = changed.filter { !$0.needsRestart }.map(\.path)
        needRestart = changed.filter(\.needsRestart).map(\.path)
    }

    /// `new`, but with the running values of all keys that wait for a restart.
    package static func applicable(_ new: Configuration, over running: Configuration) -> Configuration {
        var merged = new
        for key in ConfigurationKey.all where key.needsRestart {
            // A value that the table wrote is one that it reads.
            _ = key.set(&merged, key.get(running))
        }
        return merged
    }
}
