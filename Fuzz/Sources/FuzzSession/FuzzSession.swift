/// The libFuzzer entry for whole IMAP sessions; seeds are in `Fuzz/corpus/session`.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    fuzzSession(Array(UnsafeBufferPointer(start: data, count: size)))
    return 0
}
