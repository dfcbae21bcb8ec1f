/// Capabilities that are kept from clients, for programs that an extension does no good. The commands work all the same.
package struct CapabilityNames: Sendable, Hashable {
    private let names: Set<String>

    /// - Parameter names: `IDLE`, `AUTH=LOGIN`, or `APPENDLIMIT` for one with any value; in any case.
    package init(_ names: [String]) { self.names = Set(names.map { $0.uppercased() }) }

    /// Without IMAP4rev1 nothing would be left to speak.
    func hides(_ capability: String) -> Bool {
        guard !names.isEmpty, capability != "IMAP4rev1" else { return false }
        let name = capability.uppercased()
        return names.contains(name) || names.contains(String(name.prefix { $0 != "=" }))
    }
}
