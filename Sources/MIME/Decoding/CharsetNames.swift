/// The charset names that mail carries, and what iconv calls them.
enum CharsetNames {
    static func kind(of name: [UInt8]) -> Charset.Kind? {
        let name = String(decoding: name, as: UTF8.self)
        if let kind = exact[name] { return kind }
        if let number = suffix(of: name, behind: ["iso-8859-", "iso8859-", "iso_8859-", "iso8859_"]),
            (2...16).contains(number), number != 12
        {
            return .iconv("ISO-8859-\(number)")
        }
        if let number = suffix(of: name, behind: ["windows-", "cp", "cp-", "x-cp", "win-"]),
            (1250...1258).contains(number)
        {
            return .iconv("CP\(number)")
        }
        if let number = suffix(of: name, behind: ["ibm", "cp", "ibm-"]), [437, 850, 852, 855, 866].contains(number) {
            return .iconv("CP\(number)")
        }
        return nil
    }

    private static func suffix(of name: String, behind prefixes: [String]) -> Int? {
        for prefix in prefixes where name.hasPrefix(prefix) {
            let digits = name.dropFirst(prefix.count)
            if (1...4).contains(digits.utf8.count), digits.utf8.allSatisfy(\.isDigit) { return Int(digits) }
        }
        return nil
    }

    private static let exact: [String: Charset.Kind] = [
        // ASCII is a subset of UTF-8, and mail labelled so that has more is mostly UTF-8 today.
        "us-ascii": .utf8, "ascii": .utf8, "ansi_x3.4-1968": .utf8, "iso646-us": .utf8,
        "utf-8": .utf8, "utf8": .utf8, "unicode-1-1-utf-8": .utf8,
        "iso-8859-1": .latin1, "iso8859-1": .latin1, "iso_8859-1": .latin1, "latin1": .latin1, "l1": .latin1,
        "utf-7": .iconv("UTF-7"), "unicode-1-1-utf-7": .iconv("UTF-7"),
        "utf-16": .iconv("UTF-16"), "utf-16le": .iconv("UTF-16LE"), "utf-16be": .iconv("UTF-16BE"),
        "utf-32": .iconv("UTF-32"), "utf-32le": .iconv("UTF-32LE"), "utf-32be": .iconv("UTF-32BE"),
        "iso-8859-8-i": .iconv("ISO-8859-8"), "iso-8859-6-i": .iconv("ISO-8859-6"),
        "latin2": .iconv("ISO-8859-2"), "latin5": .iconv("ISO-8859-9"), "latin-9": .iconv("ISO-8859-15"),
        "koi8-r": .iconv("KOI8-R"), "koi8-u": .iconv("KOI8-U"), "koi8-ru": .iconv("KOI8-U"),
        "macintosh": .iconv("MACINTOSH"), "x-mac-cyrillic": .iconv("MAC-CYRILLIC"),
        "shift_jis": .iconv("CP932"), "shift-jis": .iconv("CP932"), "sjis": .iconv("CP932"),
        "x-sjis": .iconv("CP932"), "windows-31j": .iconv("CP932"), "cp932": .iconv("CP932"),
        "euc-jp": .iconv("EUC-JP"), "x-euc-jp": .iconv("EUC-JP"),
        "iso-2022-jp": .iconv("ISO-2022-JP"), "iso-2022-jp-2": .iconv("ISO-2022-JP-2"),
        "iso-2022-kr": .iconv("ISO-2022-KR"), "euc-kr": .iconv("CP949"), "ks_c_5601-1987": .iconv("CP949"),
        "ksc5601": .iconv("CP949"), "cp949": .iconv("CP949"), "windows-949": .iconv("CP949"),
        "gb2312": .iconv("GB18030"), "gbk": .iconv("GB18030"), "cp936": .iconv("GB18030"),
        "gb18030": .iconv("GB18030"), "x-gbk": .iconv("GB18030"), "euc-cn": .iconv("GB18030"),
        "hz-gb-2312": .iconv("GB18030"), "big5": .iconv("BIG5-HKSCS"), "big5-hkscs": .iconv("BIG5-HKSCS"),
        "tis-620": .iconv("TIS-620"), "iso-8859-11": .iconv("TIS-620"), "windows-874": .iconv("CP874"),
    ]
}

extension Charset {
    /// The charsets that are known, each by the name that MIME prefers.
    public static let preferredNames: [String] =
        ["UTF-8", "US-ASCII", "UTF-7", "UTF-16", "UTF-16LE", "UTF-16BE", "UTF-32", "UTF-32LE", "UTF-32BE"]
        + (1...16).filter { $0 != 12 }.map { "ISO-8859-\($0)" } + (1250...1258).map { "WINDOWS-\($0)" }
        + [
            "KOI8-R", "KOI8-U", "MACINTOSH", "IBM437", "IBM850", "IBM852", "IBM855", "IBM866", "SHIFT_JIS", "EUC-JP",
            "ISO-2022-JP", "ISO-2022-JP-2", "ISO-2022-KR", "EUC-KR", "GB2312", "GBK", "GB18030", "BIG5",
            "BIG5-HKSCS", "TIS-620", "WINDOWS-874",
        ]
}
