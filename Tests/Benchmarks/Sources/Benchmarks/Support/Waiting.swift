import Glibc

/// The steady clock, in nanoseconds.
func steadyNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

func secondsSince(_ start: UInt64) -> Double {
    Double(steadyNanoseconds() - start) / 1e9
}

func sleepMilliseconds(_ milliseconds: Double) {
    usleep(UInt32(milliseconds * 1000))
}

/// Asks `condition` again and again until it holds; fails when it does not within the time.
func waitUntil(
    _ what: String, timeoutSeconds: Double = 60, pauseMilliseconds: Double = 1, condition: () throws -> Bool
) throws {
    let start = steadyNanoseconds()
    while try !condition() {
        try Interruption.check()
        guard secondsSince(start) < timeoutSeconds else {
            throw BenchmarkFailure("waited \(Int(timeoutSeconds)) s in vain until \(what)")
        }
        sleepMilliseconds(pauseMilliseconds)
    }
}
