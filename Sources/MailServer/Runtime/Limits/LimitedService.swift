/// The services with separate connection counts.
package enum LimitedService: Sendable, Hashable, CaseIterable {
    case smtp, imap
}
