import GimbalCRDT
import GimbalWire

/// Two clocks read at once: one that people set and one that never jumps. Milliseconds both.
public struct Now: Hashable, Sendable {
    public let wallMilliseconds: UInt64
    /// From any start; only differences mean something.
    public let steadyMilliseconds: UInt64

    /// The beginning of the year 2200. The range of stamps ends in 2262, and what was written with its last one nobody can
    /// ever overwrite.
    public static let latestWallMilliseconds: UInt64 = 7_258_118_400_000

    /// A wall clock that is beyond `latestWallMilliseconds` is broken, and read as one that was never set.
    public init(wallMilliseconds: UInt64, steadyMilliseconds: UInt64) {
        self.wallMilliseconds = wallMilliseconds <= Self.latestWallMilliseconds ? wallMilliseconds : 0
        self.steadyMilliseconds = steadyMilliseconds
    }
}

/// A pivot's time: the greater of its wall clock and what it stored last, advanced by a steady clock. It never goes back.
struct PivotTime: Hashable, Sendable {
    private var greatest: UInt64
    private var steady: UInt64?

    /// The last that is told: what a steady clock adds to a wall clock that was just believed stays far below it.
    static let latestMilliseconds = Now.latestWallMilliseconds + UInt64(SpaceSettings.hardMaximumClockAheadMilliseconds)

    init(storedMilliseconds: UInt64) { greatest = storedMilliseconds }

    mutating func read(_ now: Now) -> UInt64 {
        let elapsed = now.steadyMilliseconds - min(steady ?? now.steadyMilliseconds, now.steadyMilliseconds)
        steady = now.steadyMilliseconds
        let (advanced, overflow) = greatest.addingReportingOverflow(elapsed)
        greatest = min(max(now.wallMilliseconds, overflow ? greatest : advanced), Self.latestMilliseconds)
        return greatest
    }
}

extension Checkpoint {
    /// Whether its times are any that a pivot's clock can say, however wrong it is (docs/decisions/0029).
    ///
    /// A stamp that one takes in moves a node's own clock for good, and from the last stamp of all no clock goes on.
    public var isTimely: Bool {
        // A cap is at most the allowance ahead of a pivot's time, or one beyond the cap before it: as much again is more than
        // any log has entries for.
        let allowance = UInt64(SpaceSettings.hardMaximumClockAheadMilliseconds) * 2
        return pivotMilliseconds <= PivotTime.latestMilliseconds
            && greatestStamp.milliseconds <= pivotMilliseconds + allowance
    }
}
