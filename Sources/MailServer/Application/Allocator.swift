import CPosix

/// The C library's memory allocator.
enum Allocator {
    /// Keeps freed memory of a few answers for the next ones. By default it goes back to the kernel with each answer of
    /// some hundred kilobytes, and each page of the next one faults: up to a third of the time of a long FETCH.
    static func keepFreed() { cposix_set_malloc(largestInHeap, mostKept) }

    /// Bytes of a block that has a mapping of its own.
    private static let largestInHeap: Int32 = 1 << 20
    /// Bytes kept free at the end of a heap.
    private static let mostKept: Int32 = 2 << 20
}
