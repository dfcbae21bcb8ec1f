import Primitives
import Testing

@Suite struct HexTests {
    @Test(arguments: [("00", [0]), ("ff", [255]), ("0a1B", [10, 27])] as [(String, [UInt8])])
    func text(text: String, bytes: [UInt8]) {
        #expect(Hex.decode(text) == bytes)
        #expect(Hex.encode(bytes) == text.lowercased())
    }

    @Test(arguments: ["", "0", "0g", " 00", "0x00"]) func refuses(text: String) { #expect(Hex.decode(text) == nil) }

    @Test func numbersHaveSixteenDigits() {
        #expect(Hex.encode(UInt64(0xAB)) == "00000000000000ab")
        #expect(Hex.encode(UInt64.max) == "ffffffffffffffff")
    }
}
