@testable import MIME

/// Describes the first invariant of the tree that `message` violates; nil if it keeps all.
func brokenRule(_ message: Message, in bytes: [UInt8], limits: ParseLimits = .standard) -> String? {
    var parts = 0
    // Line feeds before each offset, so that the check stays linear in deeply nested mail.
    var feeds = [0]
    feeds.reserveCapacity(bytes.count + 1)
    for byte in bytes { feeds.append(feeds[feeds.count - 1] + (byte == 0x0A ? 1 : 0)) }
    func check(_ part: Part, inside outer: Range<Int>, depth: Int) -> String? {
        parts += 1
        if depth > limits.depth { return "deeper than the limit" }
        if part.header.upperBound != part.body.lowerBound { return "body does not follow its header" }
        if part.header.lowerBound < outer.lowerBound || part.body.upperBound > outer.upperBound {
            return "part outside of its parent"
        }
        if part.header.count > limits.headerBytes { return "header beyond the limit" }
        if part.lines != feeds[part.body.upperBound] - feeds[part.body.lowerBound] { return "wrong line count" }
        let type = part.fields.type
        switch part.structure {
        case .single:
            if type.isType("multipart") || type.isType("message", "rfc822") { return "single part of a nesting type" }
        case .multipart(let children):
            if !type.isType("multipart") { return "parts in another type than multipart" }
            if children.isEmpty { return "multipart without parts" }
            var position = part.body.lowerBound
            for child in children {
                if child.header.lowerBound < position { return "parts overlap" }
                position = child.body.upperBound
                if let rule = check(child, inside: part.body, depth: depth + 1) { return rule }
            }
        case .message(let message):
            if message.range != part.body { return "embedded message is not the whole body" }
            if let rule = check(message.root, inside: part.body, depth: depth + 1) { return rule }
        }
        return nil
    }
    if message.range != 0..<bytes.count { return "message does not cover its bytes" }
    if let rule = check(message.root, inside: 0..<bytes.count, depth: 1) { return rule }
    return parts > limits.parts ? "more parts than the limit" : nil
}
