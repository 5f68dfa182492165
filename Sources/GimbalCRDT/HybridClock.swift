/// A hybrid logical clock, one a space: rising even when the wall clock jumps, and never behind a stamp it has seen.
///
/// It takes in effective stamps only, so that a peer with a wrong clock cannot drag it along (docs/architecture.md,
/// "Time"). Kulkarni et al. 2014, figure 5.
public struct HybridClock: Hashable, Sendable {
    /// The last reading given or taken in.
    public private(set) var last: HybridTimestamp

    public init(last: HybridTimestamp = .zero) { self.last = last }

    /// The stamp of a new local event. Greater than every earlier one and every one observed, until the range of
    /// stamps is used up.
    public mutating func tick(wallMilliseconds: UInt64) -> HybridTimestamp {
        let wall = min(HybridTimestamp(milliseconds: wallMilliseconds), .greatest)
        last = max(wall, last.successor)
        return last
    }

    /// Takes in the effective stamp of somebody else's event.
    public mutating func observe(_ stamp: HybridTimestamp) {
        last = max(last, min(stamp, .greatest))
    }
}
