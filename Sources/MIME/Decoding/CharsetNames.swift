/// The names of character sets found in mail, mapped to iconv's: the IANA registry's names and aliases, those of the
/// WHATWG Encoding Standard, and those of iconv and of older systems.
///
/// Case and punctuation do not matter: `ISO_8859-1:1987`, `iso8859-1` and `ISO 8859 1` are the same name.
enum CharsetNames {
    static func kind(of name: some Sequence<UInt8>) -> Charset.Kind? {
        let key = String(decoding: name.filter { $0.isLetter || $0.isDigit }.asciiLowered, as: UTF8.self)
        if let kind = kinds[key] ?? codePage(key) { return kind }
        // "x-" marks unregistered names, "cs" the registry's aliases for programs.
        for prefix in ["x", "cs"] where key.hasPrefix(prefix) {
            let rest = String(key.dropFirst(prefix.count))
            if let kind = kinds[rest] ?? codePage(rest) { return kind }
        }
        return nil
    }

    /// A code page by its number: `cp850`, `IBM-850`, `windows-1252`, `win1252`, `ms1252`, `850`.
    private static func codePage(_ key: String) -> Charset.Kind? {
        let digits = key.drop { !$0.isNumber }
        let prefix = key.dropLast(digits.count)
        guard digits.utf8.count <= 5, let number = Int(digits),
            ["", "cp", "ibm", "ccsid", "windows", "win", "ms", "mscp", "dos", "oem"].contains(prefix)
        else { return nil }
        if let kind = numbered[number] { return kind }
        if (1250...1258).contains(number) { return .iconv("CP\(number)") }
        return ibmPages.contains(number) ? .iconv(number < 100 ? "IBM0\(number)" : "IBM\(number)") : nil
    }

    /// Code pages of IBM and Microsoft supported by iconv: those of PCs, then EBCDIC.
    private static let ibmPages: Set<Int> = [
        437, 775, 850, 851, 852, 855, 856, 857, 858, 860, 861, 862, 863, 864, 865, 868, 869, 1046, 1124, 1129, 1133,
        1161,
        37, 38, 273, 274, 275, 277, 278, 280, 281, 284, 285, 290, 297, 420, 423, 424, 500, 870, 871, 875, 880, 905,
        1025,
        1026, 1047, 1122, 1123, 1140, 1141, 1142, 1143, 1144, 1145, 1146, 1147, 1148, 1149,
    ]

    /// Page numbers that mean other charsets.
    private static let numbered: [Int: Charset.Kind] = [
        367: .utf8, 20127: .utf8, 65000: .iconv("UTF-7"), 65001: .utf8, 1200: .iconv("UTF-16LE"),
        1201: .iconv("UTF-16BE"),
        12000: .iconv("UTF-32LE"), 12001: .iconv("UTF-32BE"), 819: .windows1252, 1252: .windows1252,
        28591: .windows1252,
        737: .iconv("CP737"), 866: .iconv("CP866"), 874: .iconv("CP874"), 932: .iconv("CP932"), 936: .iconv("GB18030"),
        949: .iconv("CP949"), 950: .iconv("BIG5-HKSCS"), 1125: .iconv("CP1125"), 1361: .iconv("CP1361"),
        10000: .iconv("MACINTOSH"), 10007: .iconv("MAC-CYRILLIC"), 20866: .iconv("KOI8-R"), 21866: .iconv("KOI8-U"),
        20932: .iconv("EUC-JP-MS"), 51932: .iconv("EUC-JP-MS"), 50220: .iso2022JP, 50221: .iso2022JP, 50222: .iso2022JP,
        50225: .iconv("ISO-2022-KR"), 51936: .iconv("GB18030"), 52936: .hz, 54936: .iconv("GB18030"),
        51949: .iconv("CP949"),
    ]

    private static let kinds: [String: Charset.Kind] = {
        var kinds: [String: Charset.Kind] = [:]
        func add(_ kind: Charset.Kind, _ names: String) {
            for name in names.split(separator: " ") { kinds[String(name)] = kind }
        }
        // ASCII is a subset of UTF-8, and mail with this label that has other bytes is mostly UTF-8 today.
        add(
            .guess,
            "usascii ascii us ansix341968 ansix341986 iso646us iso646irv1991 isoir6 csascii 646 7bit unknown8bit xunknown"
        )
        add(.utf8, "utf8 unicode11utf8 unicode20utf8 xunicode20utf8 iso10646utf8")
        add(.windows1252, "iso88591 iso885911987 isoir100 latin1 isolatin1 l1 88591 windows1252")
        add(.iconv("UTF-7"), "utf7 unicode11utf7 utf7imap")
        add(.iconv("UTF-16"), "utf16 unicode iso10646ucs2 ucs2 csunicode11")
        add(.iconv("UTF-16LE"), "utf16le ucs2le unicodefeff")
        add(.iconv("UTF-16BE"), "utf16be ucs2be unicodefffe")
        add(.iconv("UTF-32"), "utf32 ucs4 iso10646ucs4")
        add(.iconv("UTF-32LE"), "utf32le ucs4le")
        add(.iconv("UTF-32BE"), "utf32be ucs4be")
        let parts: [(Int, String)] = [
            (2, "isoir101 iso885921987 latin2 isolatin2 l2"), (3, "isoir109 iso885931988 latin3 isolatin3 l3"),
            (4, "isoir110 iso885941988 latin4 isolatin4 l4"),
            (5, "isoir144 iso885951988 cyrillic isolatincyrillic"),
            (6, "isoir127 iso885961987 arabic isolatinarabic ecma114 asmo708 iso88596e iso88596i"),
            (7, "isoir126 iso885971987 iso885972003 greek greek8 isolatingreek ecma118 elot928 suneugreek"),
            (8, "isoir138 iso885981988 hebrew isolatinhebrew iso88598e iso88598i logical visual"),
            (10, "isoir157 iso8859101992 latin6 isolatin6 l6"), (13, "isoir179 latin7 isolatin7 l7"),
            (14, "isoir199 iso8859141998 latin8 isolatin8 isoceltic l8"),
            (15, "isoir203 iso8859151998 latin9 isolatin9 l9 latin0 fcd"),
            (16, "isoir226 iso8859162001 latin10 isolatin10 l10"),
        ]
        for (number, names) in parts { add(.iconv("ISO-8859-\(number)"), "iso8859\(number) 8859\(number) \(names)") }
        // Browsers read ISO-8859-9 and -11 as the Windows pages that contain them.
        add(.iconv("CP1254"), "iso88599 88599 isoir148 iso885991989 latin5 isolatin5 l5 turkish")
        add(.iconv("CP874"), "iso885911 tis620 tis6200 tis62025330 tis62025291 isoir166 thai")
        add(.iconv("KOI8-R"), "koi8r koi8 koi isoir111koi gost1976874koi")
        add(.iconv("KOI8-U"), "koi8u koi8ru")
        add(.iconv("KOI8-T"), "koi8t")
        add(.iconv("CP1251"), "winarab1251 windowscyrillic ansicyrillic")
        add(.iconv("CP1257"), "baltic winbaltrim")
        add(.iconv("ECMA-CYRILLIC"), "ecmacyrillic isoir111 iso111ecmacyrillic")
        add(.iconv("MACINTOSH"), "macintosh mac macroman applemacroman")
        add(.iconv("MAC-CYRILLIC"), "maccyrillic macukraine macukrainian")
        add(.iconv("MAC-CENTRALEUROPE"), "macce maccentraleurope maccentraleuropean maceastereurope")
        add(.iconv("CP932"), "shiftjis sjis mskanji windows31j shiftjisx0213 cp943c")
        add(.iconv("EUC-JP-MS"), "eucjp ujis eucjpms eucjpopen eucjpwin eucpkdfmtjapanese")
        add(.iconv("EUC-JP-MS"), "extendedunixcodepackedformatforjapanese")
        add(.iso2022JP, "iso2022jp iso2022jpms iso2022jp1 jis jis7 junet")
        add(.iconv("ISO-2022-JP-2"), "iso2022jp2")
        add(.iconv("ISO-2022-JP-3"), "iso2022jp3 iso2022jp2004")
        add(.iconv("CP949"), "euckr korean ksc5601 ksc56011987 ksc56011989 isoir149 uhc unifiedhangulcode wansung")
        add(.iconv("CP1361"), "johab ksc56011992")
        add(.iconv("ISO-2022-KR"), "iso2022kr")
        add(.iconv("ISO-2022-CN"), "iso2022cn")
        add(
            .iconv("GB18030"),
            "gb18030 gb180302000 gb180302005 gbk gb2312 gb231280 gb23121980 iso58gb231280 isoir58 chinese euccn cngb gb"
        )
        add(.hz, "hzgb2312 hz")
        add(.iconv("BIG5-HKSCS"), "big5 bigfive cnbig5 xbig5 big5eten big5hkscs big5hkscs2001 big5hkscs2004 hkscs")
        add(.iconv("EUC-TW"), "euctw cns11643")
        let pages = [
            (437, "pc8codepage437"), (775, "pc775baltic"), (850, "pc850multilingual"), (852, "pcp852"),
            (858, "pc858multilingual ccsid00858 pcmultilingual850euro"), (862, "pc862latinhebrew"),
        ]
        for (number, names) in pages { add(.iconv("IBM\(number)"), names) }
        add(.iconv("HP-ROMAN8"), "hproman8 roman8 r8")
        add(.iconv("ARMSCII-8"), "armscii8")
        add(.iconv("GEORGIAN-PS"), "georgianps")
        add(.iconv("GEORGIAN-ACADEMY"), "georgianacademy")
        add(.iconv("PT154"), "pt154 ptcp154 cp154 cyrillicasian")
        add(.iconv("RK1048"), "rk1048 strk10482002 kz1048")
        add(.iconv("VISCII"), "viscii viscii111")
        add(.iconv("TCVN5712-1"), "tcvn tcvn5712 tcvn57121 tcvn571211993")
        add(.iconv("MIK"), "mik")
        return kinds
    }()
}

extension Charset {
    /// The known charsets, each by its preferred MIME name.
    public static let preferredNames: [String] =
        ["UTF-8", "US-ASCII", "UTF-7", "UTF-16", "UTF-16LE", "UTF-16BE", "UTF-32", "UTF-32LE", "UTF-32BE"]
        + (1...16).filter { $0 != 12 }.map { "ISO-8859-\($0)" } + (1250...1258).map { "WINDOWS-\($0)" }
        + [
            "KOI8-R", "KOI8-U", "MACINTOSH", "IBM437", "IBM850", "IBM852", "IBM855", "IBM866", "SHIFT_JIS", "EUC-JP",
            "ISO-2022-JP", "ISO-2022-JP-2", "ISO-2022-KR", "EUC-KR", "GB2312", "GBK", "GB18030", "BIG5",
            "BIG5-HKSCS", "TIS-620", "WINDOWS-874",
        ]
}
