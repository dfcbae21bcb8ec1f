import Testing

@testable import MailAccounts
@testable import ServerRuntime

@Suite struct StringPreparationTests {
    private static func prepare(_ text: String) -> String {
        String(decoding: StringPreparation.password(Array(text.utf8)), as: UTF8.self)
    }

    /// The examples of RFC 4013 section 3 and more of their kinds.
    @Test(arguments: [
        ("I\u{AD}X", "IX"), ("user", "user"), ("USER", "USER"), ("\u{AA}", "a"), ("\u{2168}", "IX"),
        ("e\u{301}clair", "\u{E9}clair"), ("pass\u{A0}word", "pass word"), ("pass\u{3000}word", "pass word"),
        ("soft\u{AD}ware", "software"), ("zero\u{200B}width\u{200D}s\u{FEFF}", "zerowidths"),
        ("Gr\u{FC}n", "Gr\u{FC}n"), ("Gru\u{308}n", "Gr\u{FC}n"), ("\u{FB01}sh", "fish"), ("\u{FF21}\u{FF11}", "A1"),
        (
            "\u{FDFA}",
            "\u{635}\u{644}\u{649} \u{627}\u{644}\u{644}\u{647} \u{639}\u{644}\u{64A}\u{647} \u{648}\u{633}\u{644}\u{645}"
        ),
        ("\u{5D0}\u{5D1}", "\u{5D0}\u{5D1}"), ("\u{5D0} 1 \u{5D1}", "\u{5D0} 1 \u{5D1}"),
        ("  both ends ", "  both ends "),
    ]) func prepares(text: String, prepared: String) {
        // Swift's == takes canonically equivalent strings for equal.
        #expect(Array(Self.prepare(text).utf8) == Array(prepared.utf8))
        #expect(Array(Self.prepare(prepared).utf8) == Array(prepared.utf8))
    }

    /// What the profile refuses stays as it is, other parts of it too.
    @Test(arguments: [
        "\u{7}e\u{301}", "tab\t\u{AD}", "\u{627}\u{31}", "\u{627}a\u{627}", "a\u{5D0}\u{AD}", "\u{1F600}e\u{301}",
        "\u{221}\u{AD}",
        "\u{E000}\u{AD}", "\u{FFFD}\u{AD}", "\u{200E}\u{AD}", "\u{E0041}\u{AD}",
        "\u{AD}", "",
        "\u{2028}\u{AD}", "\u{85}\u{AD}", "\u{1F130}",
    ]) func leaves(text: String) {
        #expect(Array(Self.prepare(text).utf8) == Array(text.utf8))
    }

    @Test func octetsThatAreNoTextStay() {
        for octets in [[0xFC], [0x61, 0xC2, 0xAD, 0xFF], [0xC2], [0xEF, 0xB7, 0x90, 0xC2, 0xAD]] as [[UInt8]] {
            #expect(StringPreparation.password(octets) == octets)
        }
    }

    @Test func theTablesAreInOrder() {
        for table in [
            StringPreparationTables.unassigned, StringPreparationTables.rightToLeft,
            StringPreparationTables.leftToRight,
        ] {
            #expect(table.count % 2 == 0)
            #expect(zip(table, table.dropFirst()).enumerated().allSatisfy { $0 % 2 == 0 ? $1.0 <= $1.1 : $1.0 < $1.1 })
        }
    }

    @Test func aHashIsOfThePreparedPassword() throws {
        func octets(_ text: String) -> [UInt8] { Array(text.utf8) }
        let made = try PasswordHash(password: octets("e\u{301}clair"), iterations: 1)
        #expect(made.verification(of: octets("\u{E9}clair")) == .right)
        #expect(made.verification(of: octets("e\u{301}clair")) == .right)
        #expect(made.verification(of: octets("eclair")) == .wrong)
        // The longest password, and one whose prepared form is longer.
        for password in [String(repeating: "a", count: 1024), String(repeating: "\u{FDFA}", count: 341)] {
            #expect(try PasswordHash(password: octets(password), iterations: 1).verifies(octets(password)))
        }
    }
}
