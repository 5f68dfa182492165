import GimbalCRDT
import GimbalReplication

/// The walls that the servers of a history look at: one true time, and how far each is off.
struct Clocks {
    private(set) var milliseconds: UInt64 = 1_700_000_000_000
    private var offsets: [Int: Int64] = [:]

    mutating func advance(by tick: UInt64) { milliseconds += tick }

    mutating func set(_ who: Int, offset: Int64) { offsets[who] = offset }

    func wall(_ who: Int) -> UInt64 {
        let shifted = Int64(milliseconds) + (offsets[who] ?? 0)
        return UInt64(max(0, shifted))
    }

    /// Only differences of a steady clock mean something; it knows no offset.
    func now(_ who: Int) -> Now { Now(wallMilliseconds: wall(who), steadyMilliseconds: milliseconds) }
}
