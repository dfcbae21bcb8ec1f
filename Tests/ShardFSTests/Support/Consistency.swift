import Testing

@testable import ShardFS

/// Records an issue for each rule that the files of a store violate; for the end of every test that uses one.
func check(_ store: Store, content: Bool = true, sourceLocation: SourceLocation = #_sourceLocation) {
    do {
        var judge = StoreCheck(root: store.root)
        judge.verifyContent = content
        for finding in try judge.run().errors {
            Issue.record("\(finding)", sourceLocation: sourceLocation)
        }
    } catch {
        Issue.record("the store could not be checked: \(error)", sourceLocation: sourceLocation)
    }
}

extension TestStore {
    /// Checks the rules of a store at rest, from its files alone.
    func check(sourceLocation: SourceLocation = #_sourceLocation) {
        ShardFSTests.check(store, sourceLocation: sourceLocation)
    }
}
