/// Replaces a string where only equality counts: 128 bits, unpredictable outside the process.
package struct Fingerprint: Sendable, Hashable {
    private let high: Int
    private let low: Int

    /// - Parameter use: separates message ids from subjects: the same octets give different fingerprints.
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
