import Foundation
import Synchronization

/// Counts that many threads add to. Each thread adds to one of eight copies, so that event loops do not wait for each other's
/// cache lines; who reads adds the copies up.
struct Shards<let size: Int>: ~Copyable, Sendable {
    private static var copies: Int { 8 }
    /// Copy after copy, each padded to whole cache lines.
    private let cells: InlineArray<size, Atomic<Int64>>

    /// - Parameter size: eight times a multiple of eight (a cache line's words).
    init() { cells = InlineArray { _ in Atomic(0) } }

    private var width: Int { size / Self.copies }

    /// Which copy the calling thread adds to: spread by Fibonacci hashing (D. Knuth, TAOCP 6.4), since threads' addresses are
    /// far apart and alike in their low bits.
    private static var copy: Int {
        #if canImport(Glibc)
            let thread = pthread_self()
        #else
            let thread = UInt(bitPattern: pthread_self())
        #endif
        return Int((thread &* 0x9E37_79B9_7F4A_7C15) >> 61)
    }

    func add(_ amount: Int64, to index: Int) {
        cells[Self.copy * width + index].wrappingAdd(amount, ordering: .relaxed)
    }

    func add(_ amount: Int64, to index: Int, and other: Int64, to otherIndex: Int) {
        let start = Self.copy * width
        cells[start + index].wrappingAdd(amount, ordering: .relaxed)
        cells[start + otherIndex].wrappingAdd(other, ordering: .relaxed)
    }

    func total(_ index: Int) -> Int64 {
        (0..<Self.copies).reduce(0) { $0 &+ cells[$1 * width + index].load(ordering: .relaxed) }
    }
}
