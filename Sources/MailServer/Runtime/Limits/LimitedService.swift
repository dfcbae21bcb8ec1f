/// The services whose connections are counted apart.
public enum LimitedService: Sendable, Hashable, CaseIterable {
    case smtp, imap
}
