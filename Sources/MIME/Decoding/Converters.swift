import Glibc
import Primitives

/// Converters of the C library that wait for their next text: opening one costs a hundred times as much as a word of
/// mail, and a hostile message can have a new charset in each of them.
enum Converters {
    /// Those that nobody uses, by iconv's name.
    private static let idle = Locked<[String: [iconv_t]]>([:])
    /// Kept for each name, of which ``CharsetNames`` has a few hundred; more are closed.
    private static let mostIdle = 4

    /// How many were opened so far.
    static var opened: Int { openedCount.withLock { $0 } }
    private static let openedCount = Locked(0)

    /// Returns a converter to UTF-8 in its initial state; nil when the C library has none of this name.
    static func take(_ name: String) -> iconv_t? {
        if !remembersByteOrder(name), let kept = idle.withLock({ $0[name]?.popLast() }) { return kept }
        guard let new = open(name) else { return nil }
        if remembersByteOrder(name), idle.withLock({ $0[name] == nil }), let pin = open(name) { keep(pin, name) }
        return new
    }

    /// Takes a converter back.
    static func give(_ converter: iconv_t, _ name: String) {
        if remembersByteOrder(name) {
            iconv_close(converter)
        } else {
            _ = Glibc.iconv(converter, nil, nil, nil, nil)
            keep(converter, name)
        }
    }

    private static func keep(_ converter: iconv_t, _ name: String) {
        let isKept = idle.withLock { idle in
            guard idle[name, default: []].count < mostIdle else { return false }
            idle[name, default: []].append(converter)
            return true
        }
        if !isKept { iconv_close(converter) }
    }

    /// The byte order that such a text begins with outlasts the reset of its converter. They are not used twice; one of
    /// each stays open, so that the next is opened quickly.
    private static func remembersByteOrder(_ name: String) -> Bool {
        name.hasPrefix("UTF-16") || name.hasPrefix("UTF-32") || name.hasPrefix("UCS") || name.hasPrefix("UNICODE")
            || name.hasPrefix("CSUNICODE")
    }

    private static func open(_ name: String) -> iconv_t? {
        openedCount.withLock { $0 += 1 }
        let handle = iconv_open("UTF-8", name)
        // iconv_open answers (iconv_t)-1 when it has no such conversion.
        guard let handle, Int(bitPattern: handle) != -1 else { return nil }
        return handle
    }
}
