/// Capabilities hidden from clients, for programs that cannot cope with an extension. The commands still work.
package struct CapabilityNames: Sendable, Hashable {
    private let names: Set<String>

    /// - Parameter names: `IDLE`, `AUTH=LOGIN`, or `APPENDLIMIT` for one with any value; upper or lower case.
    package init(_ names: [String]) { self.names = Set(names.map { $0.uppercased() }) }

    /// Whether a capability is hidden. IMAP4rev1 never is: nothing would be left to speak.
    func hides(_ capability: String) -> Bool {
        guard !names.isEmpty, capability != "IMAP4rev1" else { return false }
        let name = capability.uppercased()
        return names.contains(name) || names.contains(String(name.prefix { $0 != "=" }))
    }
}
