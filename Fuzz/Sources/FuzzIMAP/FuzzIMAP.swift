/// The libFuzzer entry for the IMAP decoder and command parser.
///
/// Build with `-sanitize=fuzzer -parse-as-library`; seeds are in `Fuzz/corpus/imap`.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    fuzzIMAP(Array(UnsafeBufferPointer(start: data, count: size)))
    return 0
}
