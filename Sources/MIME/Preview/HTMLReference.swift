/// Character references in HTML: "&amp;", "&#8364;", "&#x20ac;".
enum HTMLReference {
    /// The length of the longest reference examined, with "&" and ";".
    static let longest = 16

    /// Resolves the reference at the start of a text that begins with "&", and returns its length too; nil if there is
    /// none.
    static func resolve(_ text: ArraySlice<Unicode.Scalar>) -> (value: [Unicode.Scalar], length: Int)? {
        let text = text.dropFirst()
        if text.first == "#" { return numeric(text.dropFirst()) }
        var name = ""
        for scalar in text.prefix(longest - 2) {
            guard scalar.isASCII, scalar.properties.isAlphabetic || scalar.properties.numericType != nil else { break }
            name.unicodeScalars.append(scalar)
        }
        guard let found = named[name] else { return nil }
        let length = name.unicodeScalars.count
        let isEnded = text.dropFirst(length).first == ";"
        // Only the oldest names may omit the semicolon.
        guard isEnded || ["amp", "lt", "gt", "quot", "nbsp", "copy", "reg"].contains(name) else { return nil }
        return ([found], 1 + length + (isEnded ? 1 : 0))
    }

    private static func numeric(_ text: ArraySlice<Unicode.Scalar>) -> (value: [Unicode.Scalar], length: Int)? {
        let isHex = text.first == "x" || text.first == "X"
        let digits = isHex ? text.dropFirst() : text
        var value: UInt32 = 0
        var count = 0
        for scalar in digits {
            guard scalar.isASCII, let digit = UInt8(truncatingIfNeeded: scalar.value).hexValue, isHex || digit < 10
            else { break }
            // Capped so that another digit still fits: all values that are too large are equal.
            value = min(value, 0xFF_FFFF) * (isHex ? 16 : 10) + UInt32(digit)
            count += 1
        }
        guard count > 0 else { return nil }
        let isEnded = digits.dropFirst(count).first == ";"
        let scalar = windows1252[value] ?? Unicode.Scalar(value).flatMap { $0 == "\0" ? nil : $0 } ?? "\u{FFFD}"
        return ([scalar], 2 + (isHex ? 1 : 0) + count + (isEnded ? 1 : 0))
    }

    /// Numbers of the C1 controls mean windows-1252 characters, as in browsers.
    private static let windows1252: [UInt32: Unicode.Scalar] = [
        128: "€", 130: "‚", 131: "ƒ", 132: "„", 133: "…", 134: "†", 135: "‡", 136: "ˆ", 137: "‰", 138: "Š", 139: "‹",
        140: "Œ", 142: "Ž", 145: "‘", 146: "’", 147: "“", 148: "”", 149: "•", 150: "–", 151: "—", 152: "˜", 153: "™",
        154: "š", 155: "›", 156: "œ", 158: "ž", 159: "Ÿ",
    ]

    private static let named: [String: Unicode.Scalar] = {
        var table: [String: Unicode.Scalar] = [
            "amp": "&", "lt": "<", "gt": ">", "quot": "\"", "apos": "'", "AMP": "&", "LT": "<", "GT": ">", "QUOT": "\"",
            "euro": "€", "hellip": "…", "ndash": "–", "mdash": "—", "lsquo": "‘", "rsquo": "’", "sbquo": "‚",
            "ldquo": "“", "rdquo": "”", "bdquo": "„", "lsaquo": "‹", "rsaquo": "›", "bull": "•", "trade": "™",
            "dagger": "†", "Dagger": "‡", "permil": "‰", "OElig": "Œ", "oelig": "œ", "Scaron": "Š", "scaron": "š",
            "Yuml": "Ÿ", "fnof": "ƒ", "circ": "ˆ", "tilde": "˜", "ensp": "\u{2002}", "emsp": "\u{2003}",
            "thinsp": "\u{2009}", "zwnj": "\u{200C}", "zwj": "\u{200D}", "lrm": "\u{200E}", "rlm": "\u{200F}",
            "larr": "←", "uarr": "↑", "rarr": "→", "darr": "↓", "harr": "↔", "minus": "−", "prime": "′", "Prime": "″",
            "ne": "≠", "le": "≤", "ge": "≥", "infin": "∞", "check": "✓", "star": "☆", "hearts": "♥", "Tab": "\t",
            "NewLine": "\n", "num": "#", "dollar": "$", "percnt": "%", "lpar": "(", "rpar": ")", "ast": "*",
            "plus": "+", "comma": ",", "period": ".", "sol": "/", "colon": ":", "semi": ";", "equals": "=",
            "quest": "?", "excl": "!", "commat": "@", "lowbar": "_", "lbrack": "[", "rbrack": "]", "lbrace": "{",
            "rbrace": "}", "vert": "|", "bsol": "\\", "grave": "`", "Hat": "^", "hyphen": "‐", "dash": "‐",
        ]
        // In the order of ISO-8859-1, from 160 on.
        let latin1 = """
            nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 \
            acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde \
            Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute \
            Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde \
            auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute \
            ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml
            """
        for (offset, name) in latin1.split(separator: " ").enumerated() {
            table[String(name)] = Unicode.Scalar(UInt8(160 + offset))
        }
        return table
    }()
}
