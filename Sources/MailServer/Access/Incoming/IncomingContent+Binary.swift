package import MIME
import Primitives
package import ShardFS

// Messages received in binary (RFC 3516), stored so that they can also be fetched without BINARY.

extension IncomingContent {
    /// Bytes read at a time: whole lines of base64.
    private static let pieceSize = 57 * 1024

    /// Writes the message to `target`, with the changes applied. Blocks.
    ///
    /// - Returns: False if there is a NUL outside the changed ranges, where nothing marks the content as binary.
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

    /// The changes that turn all binary parts into base64; empty for most messages. Blocks.
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

    /// Copies a range; returns false if it contains a NUL.
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

    /// Encodes a range in base64. The last line gets no line end: a boundary line's own line end follows the part, or
    /// nothing does.
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
