package import MIME
import Primitives
package import ShardFS

// Messages that came in binary (RFC 3516): kept so that they can be had in the usual way too.

extension IncomingContent {
    /// Bytes that are read at a time: whole lines of base64.
    private static let pieceSize = 57 * 1024

    /// Writes the message to `target`, changed. Blocks.
    ///
    /// - Returns: False when a NUL stands elsewhere, where nothing says that the content is binary.
    package func write(_ changes: [BinaryChange], to target: IncomingContent) throws(StoreError) -> Bool {
        let size = Int(staged.size)
        var position = 0
        for change in changes {
            guard try copy(position..<change.range.lowerBound, to: target) else { return false }
            switch change.kind {
            case .replaced(let bytes): try target.write(bytes)
            case .base64: try encode(change.range, to: target)
            }
            position = change.range.upperBound
        }
        return try copy(position..<size, to: target)
    }

    /// What has to be changed so that all binary parts are base64; nothing in most messages. Blocks.
    package func binaryChanges(limits: ParseLimits) throws(StoreError) -> [BinaryChange] {
        var scanner = MessageScanner(limits: limits)
        var offset: UInt64 = 0
        while true {
            let piece = try staged.read(at: offset, count: Self.pieceSize)
            if piece.isEmpty { break }
            scanner.feed(piece.span)
            offset += UInt64(piece.count)
        }
        return try scanner.finish().binaryChanges { (range) throws(StoreError) in
            try staged.read(at: UInt64(range.lowerBound), count: range.count)
        }
    }

    /// False for what has a NUL in it.
    private func copy(_ range: Range<Int>, to target: IncomingContent) throws(StoreError) -> Bool {
        var position = range.lowerBound
        while position < range.upperBound {
            let piece = try piece(of: range, at: position)
            if piece.contains(0) { return false }
            try target.write(piece)
            position += piece.count
        }
        return true
    }

    /// The last line has no end: behind a part stands the line end of a boundary line, or nothing.
    private func encode(_ range: Range<Int>, to target: IncomingContent) throws(StoreError) {
        var position = range.lowerBound
        while position < range.upperBound {
            let piece = try piece(of: range, at: position)
            position += piece.count
            let text = Base64.encode(piece)
            var lines: [UInt8] = []
            lines.reserveCapacity(text.count + text.count / 38 + 2)
            for start in stride(from: 0, to: text.count, by: 76) {
                let end = min(start + 76, text.count)
                lines += text[start..<end]
                if end < text.count || position < range.upperBound { lines += [13, 10] }
            }
            try target.write(lines)
        }
    }

    private func piece(of range: Range<Int>, at position: Int) throws(StoreError) -> [UInt8] {
        let piece = try staged.read(
            at: UInt64(position), count: min(Self.pieceSize, range.upperBound - position))
        guard !piece.isEmpty else { throw .shortMessage }
        return piece
    }
}
