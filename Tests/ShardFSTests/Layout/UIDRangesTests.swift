import Testing

@testable import ShardFS

@Suite struct UIDRangesTests {
    @Test func agreesWithASet() throws {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            var ranges = UIDRanges()
            var set: Set<UInt32> = []
            for _ in 0..<60 {
                let uid = UInt32.random(in: 1...40, using: &random)
                if Bool.random(using: &random) {
                    ranges.insert(uid)
                    set.insert(uid)
                } else {
                    ranges.remove(uid)
                    set.remove(uid)
                }
                #expect((1...41).filter { ranges.contains($0) } == set.sorted())
                #expect(zip(ranges.ranges, ranges.ranges.dropFirst()).allSatisfy { $0.upperBound + 1 < $1.lowerBound })
            }
            #expect(UIDRanges(ranges.text) == (set.isEmpty ? nil : ranges))
            #expect(ranges.textLength >= ranges.text.utf8.count)
            let end = UInt32.random(in: 1...40, using: &random)
            let kept = (1...40).filter { _ in Bool.random(using: &random) }.map { UInt32($0) }
            var (clipped, limited) = (ranges, ranges)
            clipped.clip(below: end)
            limited.keep(kept)
            #expect((1...41).filter { clipped.contains($0) } == set.filter { $0 < end }.sorted())
            #expect((1...41).filter { limited.contains($0) } == kept.filter(set.contains))
        }
    }

    @Test(arguments: [
        ("1", "1"), ("1:5,9", "1:5,9"), ("1,2,3", "1:3"), ("4294967295", "4294967295"), ("7:7", "7"),
        ("1:3,4:5", "1:5"),
    ])
    func isRead(_ text: String, _ written: String) throws {
        #expect(try #require(UIDRanges(text)).text == written)
    }

    @Test(arguments: [
        "", "0", "0:3", "5:1", "1,", ",1", "3,2", "1:5,5", "1:2:3", "a", "1 ,2", "4294967296", "99999999999", ":5",
        "5:", "-1",
    ])
    func isNotRead(_ text: String) { #expect(UIDRanges(text) == nil) }
}
