import NIOCore
import Testing

@testable import ServerConfiguration
@testable import ServerRuntime

@Suite struct ReceiveAllocatorTests {
    @Test func itGrowsWithWhatComesAndShrinksAgain() {
        var allocator = ReceiveAllocator()
        #expect(allocator.size == 512)
        for expected in [2048, 8192, 32_768, 32_768] {
            let mayGrow = allocator.record(actualReadBytes: allocator.size)
            #expect(mayGrow && allocator.size == expected)
        }
        _ = allocator.record(actualReadBytes: 20_000)
        #expect(allocator.size == 32_768)
        for _ in 0..<10 { _ = allocator.record(actualReadBytes: 10) }
        #expect(allocator.size == 512)
    }

    /// The pool of a connection keeps only the smallest buffer, whatever it handed out in between.
    @Test func aPoolKeepsNothingLarge() {
        var pool = NIOPooledRecvBufferAllocator(capacity: 1, recvAllocator: ReceiveAllocator())
        var capacities: [Int] = []
        for _ in 0..<6 {
            let (_, capacity) = pool.buffer(allocator: ByteBufferAllocator()) { buffer in
                buffer.writeRepeatingByte(0, count: buffer.writableBytes)
                return buffer.capacity
            }
            capacities.append(capacity)
            pool.record(actualReadBytes: capacity)
        }
        #expect(capacities.first == 512 && capacities.last == 32_768)
        #expect(pool.count == 1)
        // Nor does the pool enlarge the buffer it keeps: the next buffer is a new one.
        var copy: ByteBuffer?
        _ = pool.buffer(allocator: ByteBufferAllocator()) { copy = $0 }
        #expect(copy?.capacity == 32_768)
    }
}
