/// Random bytes and passwords from the operating system's generator.
package enum SecureRandom {
    package static func bytes(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }

    /// Makes a password that is easy to read aloud and type: four groups of five characters (about 116 bits), without
    /// look-alikes.
    package static func password() -> String {
        let alphabet = Array("abcdefghijkmnpqrstuvwxyz23456789ABCDEFGHJKLMNPQRSTUVWXYZ")
        var generator = SystemRandomNumberGenerator()
        let groups = (0..<4).map { _ in
            String((0..<5).compactMap { _ in alphabet.randomElement(using: &generator) })
        }
        return groups.joined(separator: "-")
    }
}
