/// An open part while the tree is being built.
struct TreeFrame {
    let start: Int
    let isMessageRoot: Bool
    let isInDigest: Bool
    var headerEnd: Int
    /// Line feeds in the message before the body.
    var linesBeforeBody = 0
    var fields: ContentFields?
    var envelope: Envelope?
    var isMultipart = false
    var isBeyondLimit = false
    var children: [Part] = []
    var embedded: Message?

    init(start: Int, isMessageRoot: Bool, isInDigest: Bool) {
        self.start = start
        self.isMessageRoot = isMessageRoot
        self.isInDigest = isInDigest
        headerEnd = start
    }

    /// The finished part; `end` is not before the body, and `lines` counts the line feeds in the message before `end`.
    func part(end: Int, lines: Int, fields: ContentFields) -> Part {
        var fields = fields
        let structure: Part.Structure
        if let embedded {
            structure = .message(embedded)
        } else if !children.isEmpty {
            structure = .multipart(children)
        } else {
            structure = .single
            if isBeyondLimit {
                fields.type = .opaque
            } else if isMultipart {
                fields.type = .textPlain
            }
        }
        return Part(
            header: start..<headerEnd,
            body: headerEnd..<end,
            lines: lines - linesBeforeBody,
            fields: fields,
            structure: structure)
    }
}
