import IMAPCodec
import NIOCore
import Testing

@Suite struct IMAPFetchRowsTests {
    /// The octets equal those of the general writer, for all values.
    @Test func rowsAreWhatTheGeneralWriterWrites() {
        let columns: [IMAPFetchRows.Column] = [.uid, .flags, .size, .internalDate, .modSeq]
        let dates: [Int64] = [
            0, 1, 59, 86_399, 86_400, 951_782_400, 1_709_164_800, 4_294_967_294, 4_294_967_295, -1, 9_000_000_000,
            253_402_300_799,
        ]
        let numbers: [UInt32] = [1, 9, 10, 99, 100, 12_345, 4_294_967_295]
        let flagSets: [[IMAPFlag]] = [[], [.seen], [.answered, .flagged, .seen, .recent], [.keyword("$Forwarded")]]
        var rows = IMAPFetchRows(columns)
        var fast = ByteBuffer()
        var general = ByteBuffer()
        for date in dates {
            for number in numbers {
                for (key, flags) in flagSets.enumerated() {
                    let modSeq = UInt64(number) << UInt64(key * 10)
                    rows.write(
                        .init(
                            number: number, uid: number, flagsKey: UInt64(key), size: number, internalDate: date,
                            modSeq: modSeq),
                        into: &fast
                    ) { flagSets[Int($0)] }
                    var writer = IMAPFetchWriter(sequenceNumber: number, into: &general)
                    writer.write(.uid(number), into: &general)
                    writer.write(.flags(flags), into: &general)
                    writer.write(.size(UInt64(number)), into: &general)
                    writer.write(.internalDate(IMAPDateTime(secondsSince1970: date)), into: &general)
                    writer.write(.modSeq(modSeq), into: &general)
                    writer.end(into: &general)
                    #expect(fast == general, "\(String(buffer: fast)) is not \(String(buffer: general))")
                    fast.clear()
                    general.clear()
                }
            }
        }
    }

    @Test func columnsComeInTheOrderAskedAndManySetsOfFlagsAreReported() {
        var rows = IMAPFetchRows([.modSeq, .uid, .flags])
        for key in 0..<1_000 as Range<UInt64> {
            var buffer = ByteBuffer()
            rows.write(.init(number: 7, uid: 8, flagsKey: key, size: 0, modSeq: 9), into: &buffer) {
                [.keyword("k\($0)")]
            }
            #expect(String(buffer: buffer) == "* 7 FETCH (MODSEQ (9) UID 8 FLAGS (k\(key)))\r\n")
        }
    }
}
