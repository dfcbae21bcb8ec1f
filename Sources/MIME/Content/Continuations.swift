/// Joins the numbered segments of RFC 2231 section 3.
enum Continuations {
    private struct Segment {
        let number: Int
        let isExtended: Bool
        let value: [UInt8]
    }

    /// The base name and number of `base*N` or `base*N*`; nil for any other name.
    private static func split(_ name: [UInt8]) -> (base: [UInt8], number: Int, isExtended: Bool)? {
        var rest = name[...]
        let isExtended = rest.last == ASCII.star
        if isExtended { rest = rest.dropLast() }
        guard let star = rest.lastIndex(of: ASCII.star), star > 0 else { return nil }
        let digits = rest[(star + 1)...]
        guard (1...4).contains(digits.count), digits.allSatisfy(\.isDigit) else { return nil }
        return (Array(name[..<star]), digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }, isExtended)
    }

    static func join(_ raw: [Parameter]) -> [Parameter] {
        guard raw.contains(where: { $0.name.contains(ASCII.star) }) else { return raw }
        var segments: [[UInt8]: [Segment]] = [:]
        var result: [Parameter] = []
        var places: [(index: Int, key: [UInt8])] = []
        for parameter in raw {
            guard let (base, number, isExtended) = split(parameter.name) else {
                result.append(parameter)
                continue
            }
            let key = base.asciiLowered
            if segments[key] == nil {
                places.append((result.count, key))
                result.append(Parameter(name: base, value: []))
            }
            segments[key, default: []].append(
                Segment(number: number, isExtended: isExtended, value: parameter.value))
        }
        for (index, key) in places {
            result[index] = joined(result[index].name, segments[key] ?? [])
        }
        return result
    }

    /// Joins the segments from the lowest number up to the first gap; of two with the same number the first counts.
    private static func joined(_ name: [UInt8], _ segments: [Segment]) -> Parameter {
        let order = segments.indices.sorted { (segments[$0].number, $0) < (segments[$1].number, $1) }
        var chosen: [Segment] = []
        for index in order {
            let segment = segments[index]
            guard let last = chosen.last else {
                chosen.append(segment)
                continue
            }
            if segment.number == last.number { continue }
            guard segment.number == last.number + 1 else { break }
            chosen.append(segment)
        }
        guard chosen.contains(where: \.isExtended) else {
            return Parameter(name: name, value: chosen.flatMap(\.value))
        }
        var value: [UInt8] = []
        if chosen.first?.isExtended == false { value += [ASCII.apostrophe, ASCII.apostrophe] }
        for segment in chosen { value += segment.isExtended ? segment.value : percentEncoded(segment.value) }
        return Parameter(name: name + [ASCII.star], value: value)
    }

    private static func percentEncoded(_ value: [UInt8]) -> [UInt8] {
        let digits = Array("0123456789ABCDEF".utf8)
        var result: [UInt8] = []
        for byte in value {
            if byte.isLetter || byte.isDigit || byte == ASCII.dot || byte == ASCII.hyphen || byte == ASCII.underscore {
                result.append(byte)
            } else {
                result += [ASCII.percent, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return result
    }
}
