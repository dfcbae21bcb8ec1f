/// The libFuzzer entry of the mail parser; seeds are in `Fuzz/corpus/mime`.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    fuzzMIME(Array(UnsafeBufferPointer(start: data, count: size)))
    return 0
}
