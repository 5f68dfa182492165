import GimbalReplication
import GimbalSigning
import Foundation

/// Where the shell reads the time and draws its dice: the only place that does.
struct SystemClock: Sendable {
    /// Added to the wall clock; tests and demonstrations shift it.
    var wallOffsetMilliseconds: Int64 = 0

    func now() -> Now {
        var wall = timespec()
        clock_gettime(CLOCK_REALTIME, &wall)
        var steady = timespec()
        clock_gettime(CLOCK_MONOTONIC, &steady)
        let milliseconds = Self.milliseconds(wall) + wallOffsetMilliseconds
        return Now(wallMilliseconds: UInt64(max(milliseconds, 0)), steadyMilliseconds: UInt64(max(Self.milliseconds(steady), 0)))
    }

    static func steadyNanoseconds() -> UInt64 {
        var steady = timespec()
        clock_gettime(CLOCK_MONOTONIC, &steady)
        return UInt64(max(steady.tv_sec, 0)) &* 1_000_000_000 &+ UInt64(max(steady.tv_nsec, 0))
    }

    private static func milliseconds(_ time: timespec) -> Int64 {
        Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}

struct SodiumRandom: RandomNumberGenerator {
    private let sodium = SodiumPrimitives()

    mutating func next() -> UInt64 { sodium.randomWord() }
}
