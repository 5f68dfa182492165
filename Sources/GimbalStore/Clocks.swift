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
        let (shifted, overflow) = Self.milliseconds(wall).addingReportingOverflow(wallOffsetMilliseconds)
        let milliseconds = overflow ? (wallOffsetMilliseconds < 0 ? 0 : .max) : shifted
        return Now(wallMilliseconds: UInt64(max(milliseconds, 0)), steadyMilliseconds: UInt64(max(Self.milliseconds(steady), 0)))
    }

    static func steadyNanoseconds() -> UInt64 {
        var steady = timespec()
        clock_gettime(CLOCK_MONOTONIC, &steady)
        return UInt64(max(steady.tv_sec, 0)) &* 1_000_000_000 &+ UInt64(max(steady.tv_nsec, 0))
    }

    private static func milliseconds(_ time: timespec) -> Int64 {
        let (milliseconds, overflow) = Int64(time.tv_sec).multipliedReportingOverflow(by: 1000)
        return overflow ? (time.tv_sec < 0 ? 0 : .max - 1000) : milliseconds &+ Int64(time.tv_nsec) / 1_000_000
    }
}

struct SodiumRandom: RandomNumberGenerator {
    private let sodium = SodiumPrimitives()

    mutating func next() -> UInt64 { sodium.randomWord() }
}
