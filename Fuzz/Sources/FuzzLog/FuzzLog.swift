/// The libFuzzer entry for the parsers of the store's own files; seeds are in `Fuzz/corpus/log`.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    fuzzLog(Array(UnsafeBufferPointer(start: data, count: size)))
    return 0
}
