import Glibc
import TestSupport

/// Realistic messages: trace fields, a signature, recurring senders, plain text and HTML, encoded words, an occasional
/// attachment. `size` is their mean size; each has between three and five quarters of it.
struct Corpus {
    private var random: SeededGenerator
    private let size: Int
    private var text: [UInt8] = []

    static let words = """
        the of and to in is that for it as was with be by on not he his but at are this have from or had an they which one you \
        were her all she there would their we him been has when who will more no if out so said what up its about into than \
        them can only other new some could time these two may then do first any my now such like our over man me even most made \
        after also did many before must through back years where much your way well down should because each just those people \
        mister how too little state good very make world still own see men work long get here between both life being under \
        never day same another know while last might us great old year off come since against go came right used take three \
        report meeting budget draft contract schedule project invoice delivery customer release version server message folder \
        calendar ticket order shipment office train flight hotel garden kitchen music weather harbour bridge market library
        """.split(separator: " ").map { Array($0.utf8) }
    static let people = [
        "Anna Berg", "Björn Falk", "Carla Neri", "David Okafor", "Elif Kaya", "Frank Moss", "Grace Liu", "Hugo Martin",
        "Ines Duarte", "Jonas Weber", "Keiko Mori", "Liam Byrne", "Marta Nowak", "Nils Holm", "Olga Petrova",
        "Paul Roux",
    ]
    /// Occurs in one message in a hundred, for SEARCH.
    static let rare = "quixotic"

    init(seed: UInt64, size: Int) {
        random = SeededGenerator(seed: seed)
        self.size = size
    }

    mutating func message(_ index: Int) -> [UInt8] {
        text.removeAll(keepingCapacity: true)
        let goal = size * 3 / 4 + number(size / 2)
        let from = number(Self.people.count)
        let to = number(Self.people.count)
        let date = Corpus.date(Corpus.time(index))
        let id = "<\(hex(16)).\(index)@\(domain(from))>"
        line("Return-Path: <\(address(from))>")
        for hop in 0..<(2 + number(3)) {
            line(
                "Received: from mx\(hop + 1).\(domain(from)) (mx\(hop + 1).\(domain(from)) [192.0.2.\(number(250) + 1)])"
            )
            line("\tby mail\(hop).example.com (Postfix) with ESMTPS id \(hex(10))")
            line("\tfor <bench@example.com>; \(date)")
        }
        if number(3) > 0 {
            line("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=\(domain(from)); s=mail;")
            line("\th=from:to:subject:date:message-id; bh=\(hex(43))=;")
            line("\tb=\(hex(60))")
            line("\t \(hex(60))")
        }
        line("Message-ID: \(id)")
        line("Date: \(date)")
        line("From: \(name(from)) <\(address(from))>")
        line("To: \(name(to)) <\(address(to))>, bench@example.com")
        if number(4) == 0 { line("Cc: \(name(number(Self.people.count))) <\(address(number(Self.people.count)))>") }
        if number(2) == 0 {
            line("In-Reply-To: <\(hex(16))@example.org>")
            line("References: <\(hex(16))@example.org> <\(hex(16))@example.org>")
        }
        line("Subject: \(subject(index))")
        line("X-Mailer: Mailer \(number(9)).\(number(20))")
        line("MIME-Version: 1.0")
        switch number(10) {
        case 0, 1: plain(goal)
        case 2: mixed(goal)
        default: alternative(goal)
        }
        return text
    }

    // MARK: bodies

    private mutating func plain(_ goal: Int) {
        line("Content-Type: text/plain; charset=utf-8")
        line("Content-Transfer-Encoding: 8bit")
        line("")
        paragraphs(until: goal)
    }

    private mutating func alternative(_ goal: Int, level: String = "") {
        let boundary = "--=_Part_\(level)\(hex(24))"
        line("Content-Type: multipart/alternative; boundary=\"\(boundary)\"")
        line("")
        line("This is a message in several parts.")
        line("--\(boundary)")
        line("Content-Type: text/plain; charset=utf-8")
        line("Content-Transfer-Encoding: quoted-printable")
        line("")
        paragraphs(until: text.count + (goal - text.count) * 2 / 5)
        line("--\(boundary)")
        line("Content-Type: text/html; charset=utf-8")
        line("Content-Transfer-Encoding: quoted-printable")
        line("")
        line("<html><head><style type=3D\"text/css\">p { margin: 0 }</style></head><body>")
        paragraphs(until: goal - 60, before: "<p>", after: "</p>")
        line("</body></html>")
        line("--\(boundary)--")
    }

    private mutating func mixed(_ goal: Int) {
        let boundary = "--=_Mixed_\(hex(24))"
        line("Content-Type: multipart/mixed; boundary=\"\(boundary)\"")
        line("")
        line("--\(boundary)")
        alternative(text.count + (goal - text.count) * 3 / 5, level: "a")
        line("--\(boundary)")
        line("Content-Type: application/pdf; name=\"report-\(number(1000)).pdf\"")
        line("Content-Disposition: attachment; filename=\"report-\(number(1000)).pdf\"")
        line("Content-Transfer-Encoding: base64")
        line("")
        while text.count < goal - 80 { line(hex(76)) }
        line("--\(boundary)--")
    }

    private mutating func paragraphs(until goal: Int, before: String = "", after: String = "") {
        if number(100) == 0 { line("\(before)A \(Self.rare) idea.\(after)") }
        var lines = 0
        while text.count < goal {
            let start = text.count
            text += before.utf8
            while text.count - start < 66 {
                text += Self.words[number(Self.words.count)]
                text.append(0x20)
            }
            text.removeLast()
            line(after)
            lines += 1
            if lines % 5 == 0 { line("") }
        }
    }

    // MARK: pieces

    private mutating func subject(_ index: Int) -> String {
        let topic = ["Invoice", "Meeting", "Re: Meeting", "Release", "Lunch", "Fwd: Order", "Report", "Re: Garden"][
            number(8)]
        var words = ""
        for _ in 0..<(1 + number(5)) {
            words += " " + String(decoding: Self.words[number(Self.words.count)], as: UTF8.self)
        }
        return number(12) == 0 ? "=?utf-8?Q?Gr=C3=BC=C3=9Fe:_\(topic)_\(index)?=" : "\(topic)\(words) \(index)"
    }

    private func name(_ person: Int) -> String {
        let name = Self.people[person]
        return name.utf8.contains { $0 > 0x7F } ? "=?utf-8?Q?Bj=C3=B6rn_Falk?=" : "\"\(name)\""
    }

    private func address(_ person: Int) -> String { "person\(person)@\(domain(person))" }

    private func domain(_ person: Int) -> String { "example\(person % 5).org" }

    private mutating func number(_ below: Int) -> Int { Int(random.next() % UInt64(max(1, below))) }

    private mutating func hex(_ count: Int) -> String {
        let digits = Array("0123456789abcdefghijkmnopqrstuvw".utf8)
        var bits: UInt64 = 0
        return String(
            decoding: (0..<count).map { i in
                if i % 12 == 0 { bits = random.next() }
                bits >>= 5
                return digits[Int(bits & 31)]
            }, as: UTF8.self)
    }

    private mutating func line(_ line: String) {
        text += line.utf8
        text += [0x0D, 0x0A]
    }

    // MARK: arguments of APPEND

    /// Seconds since 1970, a quarter of an hour apart, from 2023 on.
    static func time(_ index: Int) -> Int { 1_672_531_200 + index % 100_000 * 900 }

    static func flags(_ index: Int) -> String {
        var flags: [String] = []
        if index % 10 < 7 { flags.append("\\Seen") }
        if index % 50 == 3 { flags.append("\\Flagged") }
        if index % 9 == 4 { flags.append("\\Answered") }
        return flags.joined(separator: " ")
    }

    /// Formats a time for a message's Date field.
    static func date(_ time: Int) -> String {
        let (d, weekday) = parts(time)
        return "\(weekday), \(d.day) \(d.month) \(d.year) \(d.clock) +0000"
    }

    /// Formats a time for APPEND.
    static func internalDate(_ time: Int) -> String {
        let (d, _) = parts(time)
        return "\(d.day < 10 ? " " : "")\(d.day)-\(d.month)-\(d.year) \(d.clock) +0000"
    }

    private static func parts(_ time: Int) -> ((day: Int, month: String, year: Int, clock: String), weekday: String) {
        var seconds = time_t(time)
        var t = tm()
        gmtime_r(&seconds, &t)
        func two(_ n: Int32) -> String { n < 10 ? "0\(n)" : "\(n)" }
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        return (
            (
                Int(t.tm_mday), months[Int(t.tm_mon)], Int(t.tm_year) + 1900,
                "\(two(t.tm_hour)):\(two(t.tm_min)):\(two(t.tm_sec))"
            ), days[Int(t.tm_wday)]
        )
    }
}
