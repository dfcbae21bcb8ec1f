import Primitives
import Testing

@Suite struct Base64Tests {
    @Test(
        "there and back",
        arguments: [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("\u{FF}~", "w79+"),
        ])
    func coding(_ plain: String, _ encoded: String) {
        #expect(Base64.text(plain.utf8) == encoded)
        #expect(Base64.encode(plain.utf8) == Array(encoded.utf8))
        #expect(Base64.decode(encoded.utf8) == Array(plain.utf8))
    }

    @Test func everyByte() {
        for count in 0..<300 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ count) }
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
        }
    }

    @Test("broken", arguments: ["Z", "Zg", "Zg=", "====", "Zh==", "Zg==Zg==", "Zm9*", "=Zg=", "Zg==\n"])
    func broken(_ text: String) { #expect(Base64.decode(text.utf8) == nil) }
}
