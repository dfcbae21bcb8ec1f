extension Message {
    /// The parts whose text can represent the message, best first; none in an encrypted message.
    public var previewParts: [Part] {
        var found: [Part] = []
        Self.gather(root, into: &found)
        return found
    }

    private static func gather(_ part: Part, into found: inout [Part]) {
        switch part.structure {
        case .single:
            let type = part.fields.type
            let isReadable = ["plain", "html", "markdown", "enriched"].contains { type.isType("text", $0) }
            let isAttached = part.fields.disposition?.kind.equalsIgnoringCase("attachment") ?? false
            if isReadable, !isAttached { found.append(part) }
        case .multipart(let parts):
            let type = part.fields.type
            if type.isType("multipart", "encrypted") { return }
            // The second part of a signed multipart is the signature.
            let parts = type.isType("multipart", "signed") ? parts.prefix(1) : parts[...]
            var inner: [Part] = []
            for part in parts { gather(part, into: &inner) }
            if type.isType("multipart", "alternative") {
                // Plain text needs no guessing.
                found += inner.filter { $0.fields.type.isType("text", "plain") }
                inner.removeAll { $0.fields.type.isType("text", "plain") }
            }
            found += inner
        case .message:
            // A forwarded message is not the text of this one.
            break
        }
    }
}
