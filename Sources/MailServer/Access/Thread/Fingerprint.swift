/// Stands for a string where only equality counts: 128 bits that nobody outside of the process can foresee.
package struct Fingerprint: Sendable, Hashable {
    private let high: Int
    private let low: Int

    /// A message id and a subject of the same octets have different fingerprints only by `use`.
    package init(_ bytes: [UInt8], as use: Use) {
        func hash(_ half: UInt8) -> Int {
            var hasher = Hasher()
            hasher.combine(use)
            hasher.combine(half)
            bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
            return hasher.finalize()
        }
        high = hash(1)
        low = hash(2)
    }

    package enum Use: Sendable { case messageID, subject }
}
