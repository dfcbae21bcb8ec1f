/// A subject without its reply and forward marks. RFC 5256 section 2.1.
public struct BaseSubject: Sendable, Hashable {
    /// UTF-8 on one line, in its original case.
    public let text: [UInt8]
    /// Whether a reply or forward mark was removed.
    public let isReplyOrForward: Bool

    /// - Parameter value: the Subject field's value, unfolded, with its encoded words. Time is linear in it.
    public init(_ value: [UInt8]) {
        var extraction = Extraction(Self.withSingleSpaces(EncodedWord.decode(value)))
        extraction.run()
        text = Array(extraction.text[extraction.start..<extraction.end])
        isReplyOrForward = extraction.isReplyOrForward
    }

    /// Step 1.
    private static func withSingleSpaces(_ text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        for byte in text {
            if !byte.isWhitespace {
                result.append(byte)
            } else if result.last != ASCII.space {
                result.append(ASCII.space)
            }
        }
        return result
    }

    /// Steps 2 to 6, which remove pieces from both ends.
    private struct Extraction {
        let text: [UInt8]
        var start = 0
        var end: Int
        var isReplyOrForward = false

        init(_ text: [UInt8]) {
            self.text = text
            end = text.count
        }

        mutating func run() {
            repeat {
                takeTrailers()
                takeLeadersAndBlobs()
            } while takeForwardBrackets()
        }

        /// Step 2.
        private mutating func takeTrailers() {
            while end > start {
                if text[end - 1] == ASCII.space {
                    end -= 1
                } else if holds("(fwd)", at: end - 5) {
                    end -= 5
                    isReplyOrForward = true
                } else {
                    return
                }
            }
        }

        /// Steps 3 to 5.
        private mutating func takeLeadersAndBlobs() {
            while start < end {
                if text[start] == ASCII.space {
                    start += 1
                    continue
                }
                // A leader's blobs are examined together: if no mark follows all of them, none follows fewer.
                var afterBlobs = start
                var lastBlob = start
                while let next = afterBlob(at: afterBlobs) {
                    lastBlob = afterBlobs
                    afterBlobs = next
                }
                if let next = afterMark(at: afterBlobs) {
                    start = next
                    isReplyOrForward = true
                } else if afterBlobs == start {
                    return
                } else {
                    // A subject made of blobs only keeps the last of them.
                    start = afterBlobs < end ? afterBlobs : lastBlob
                    return
                }
            }
        }

        /// Step 6.
        private mutating func takeForwardBrackets() -> Bool {
            guard holds("[fwd:", at: start), text[end - 1] == ASCII.closeBracket else { return false }
            start += 5
            end -= 1
            isReplyOrForward = true
            return true
        }

        /// The end of the `subj-blob` at `index`, with its blanks.
        private func afterBlob(at index: Int) -> Int? {
            guard index < end, text[index] == ASCII.openBracket else { return nil }
            var index = index + 1
            while index < end, text[index] != ASCII.closeBracket {
                if text[index] == ASCII.openBracket { return nil }
                index += 1
            }
            return index < end ? afterBlanks(at: index + 1) : nil
        }

        /// The end of the `subj-refwd` at `index`.
        private func afterMark(at index: Int) -> Int? {
            var index = index
            if holds("re", at: index) {
                index += 2
            } else if holds("fw", at: index) {
                index += holds("fwd", at: index) ? 3 : 2
            } else {
                return nil
            }
            index = afterBlanks(at: index)
            index = afterBlob(at: index) ?? index
            return index < end && text[index] == ASCII.colon ? index + 1 : nil
        }

        private func afterBlanks(at index: Int) -> Int {
            var index = index
            while index < end, text[index] == ASCII.space { index += 1 }
            return index
        }

        /// Whether `word`, in lower case, is at `index`, ignoring case.
        private func holds(_ word: StaticString, at index: Int) -> Bool {
            let count = word.utf8CodeUnitCount
            guard index >= start, index <= end - count else { return false }
            for offset in 0..<count where text[index + offset].asciiLowered != word.utf8Start[offset] { return false }
            return true
        }
    }
}
