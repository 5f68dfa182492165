/// Two clocks read at once: one that people set and one that never jumps. Milliseconds both.
public struct Now: Hashable, Sendable {
    public var wallMilliseconds: UInt64
    /// From any start; only differences mean something.
    public var steadyMilliseconds: UInt64

    public init(wallMilliseconds: UInt64, steadyMilliseconds: UInt64) {
        self.wallMilliseconds = wallMilliseconds
        self.steadyMilliseconds = steadyMilliseconds
    }
}

/// A pivot's time: the greater of its wall clock and what it stored last, advanced by a steady clock. It never goes back.
struct PivotTime: Hashable, Sendable {
    private var greatest: UInt64
    private var steady: UInt64?

    init(storedMilliseconds: UInt64) { greatest = storedMilliseconds }

    mutating func read(_ now: Now) -> UInt64 {
        let elapsed = now.steadyMilliseconds - min(steady ?? now.steadyMilliseconds, now.steadyMilliseconds)
        steady = now.steadyMilliseconds
        let (advanced, overflow) = greatest.addingReportingOverflow(elapsed)
        greatest = max(now.wallMilliseconds, overflow ? greatest : advanced)
        return greatest
    }
}
