/// The libFuzzer entry for the server's parsers other than the codecs; seeds are in `Fuzz/corpus/server`.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    fuzzServer(Array(UnsafeBufferPointer(start: data, count: size)))
    return 0
}
