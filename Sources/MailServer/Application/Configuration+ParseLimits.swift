import MIME

extension Configuration {
    /// Bounds on what is taken from a message.
    var parseLimits: ParseLimits {
        ParseLimits(depth: limits.mimeDepth, parts: limits.mimeParts, headerBytes: limits.headerBytes)
    }
}
