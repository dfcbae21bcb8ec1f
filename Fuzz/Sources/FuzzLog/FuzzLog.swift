/// The libFuzzer entry for what the store reads out of its own files; seeds are in `Fuzz/corpus/log`.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    fuzzLog(Array(UnsafeBufferPointer(start: data, count: size)))
    return 0
}
