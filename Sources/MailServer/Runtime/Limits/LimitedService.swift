/// The services whose connections are counted apart.
package enum LimitedService: Sendable, Hashable, CaseIterable {
    case smtp, imap
}
