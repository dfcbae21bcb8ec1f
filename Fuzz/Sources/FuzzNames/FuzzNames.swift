/// The libFuzzer entry for the store's name parsers; seeds are in `Fuzz/corpus/names`.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    fuzzNames(Array(UnsafeBufferPointer(start: data, count: size)))
    return 0
}
