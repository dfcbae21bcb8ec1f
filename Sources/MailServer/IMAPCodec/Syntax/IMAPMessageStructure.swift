/// The ENVELOPE of a message; raw header bytes, nil where the field is missing. RFC 9051 section 7.5.2.
///
/// An empty address list is sent as NIL.
public struct IMAPEnvelope: Sendable, Equatable {
    public var date: [UInt8]?
    public var subject: [UInt8]?
    public var from: [IMAPAddress]
    /// If Sender or Reply-To is missing, the caller uses From.
    public var sender: [IMAPAddress]
    public var replyTo: [IMAPAddress]
    public var to: [IMAPAddress]
    public var cc: [IMAPAddress]
    public var bcc: [IMAPAddress]
    public var inReplyTo: [UInt8]?
    public var messageID: [UInt8]?

    public init(
        date: [UInt8]? = nil, subject: [UInt8]? = nil, from: [IMAPAddress] = [], sender: [IMAPAddress] = [],
        replyTo: [IMAPAddress] = [], to: [IMAPAddress] = [], cc: [IMAPAddress] = [], bcc: [IMAPAddress] = [],
        inReplyTo: [UInt8]? = nil, messageID: [UInt8]? = nil
    ) {
        self.date = date
        self.subject = subject
        self.from = from
        self.sender = sender
        self.replyTo = replyTo
        self.to = to
        self.cc = cc
        self.bcc = bcc
        self.inReplyTo = inReplyTo
        self.messageID = messageID
    }
}

/// An address structure. A group begins with a nil host and its name as mailbox, and ends with both nil.
public struct IMAPAddress: Sendable, Equatable {
    public var name: [UInt8]?
    public var route: [UInt8]?
    public var mailbox: [UInt8]?
    public var host: [UInt8]?

    public init(name: [UInt8]? = nil, route: [UInt8]? = nil, mailbox: [UInt8]?, host: [UInt8]?) {
        self.name = name
        self.route = route
        self.mailbox = mailbox
        self.host = host
    }
}

/// A body part for BODY and BODYSTRUCTURE. RFC 9051 section 7.5.2.
public struct IMAPBodyStructure: Sendable, Equatable {
    public struct Parameter: Sendable, Equatable {
        public var name: [UInt8]
        public var value: [UInt8]

        public init(name: [UInt8], value: [UInt8]) {
            self.name = name
            self.value = value
        }
    }

    public struct Disposition: Sendable, Equatable {
        public var type: [UInt8]
        public var parameters: [Parameter]

        public init(type: [UInt8], parameters: [Parameter] = []) {
            self.type = type
            self.parameters = parameters
        }
    }

    /// The fields of a part that is not a multipart.
    public struct Leaf: Sendable, Equatable {
        public var type: [UInt8]
        public var id: [UInt8]?
        public var description: [UInt8]?
        /// Content-Transfer-Encoding, `7BIT` when the part names none.
        public var encoding: [UInt8]
        /// Octets in transfer encoding.
        public var size: UInt64
        /// Lines, sent for TEXT and MESSAGE/RFC822 only.
        public var lines: UInt64
        public var md5: [UInt8]?

        public init(
            type: [UInt8], id: [UInt8]? = nil, description: [UInt8]? = nil, encoding: [UInt8], size: UInt64,
            lines: UInt64 = 0, md5: [UInt8]? = nil
        ) {
            self.type = type
            self.id = id
            self.description = description
            self.encoding = encoding
            self.size = size
            self.lines = lines
            self.md5 = md5
        }
    }

    public indirect enum Kind: Sendable, Equatable {
        /// Any type without inner structure, `TEXT` included.
        case leaf(Leaf)
        /// MESSAGE/RFC822 or MESSAGE/GLOBAL.
        case message(Leaf, envelope: IMAPEnvelope, body: IMAPBodyStructure)
        /// Without parts, the encoder sends one empty text part, since the grammar requires at least one.
        case multipart([IMAPBodyStructure])
    }

    public var kind: Kind
    /// `PLAIN`, `MIXED`, `RFC822`, …
    public var subtype: [UInt8]
    public var parameters: [Parameter]
    public var disposition: Disposition?
    public var languages: [[UInt8]]
    public var location: [UInt8]?

    public init(
        kind: Kind, subtype: [UInt8], parameters: [Parameter] = [], disposition: Disposition? = nil,
        languages: [[UInt8]] = [], location: [UInt8]? = nil
    ) {
        self.kind = kind
        self.subtype = subtype
        self.parameters = parameters
        self.disposition = disposition
        self.languages = languages
        self.location = location
    }
}
