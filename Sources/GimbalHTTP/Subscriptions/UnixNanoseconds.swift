import Foundation

extension Date {
    /// Since 1970; a clock that was set before it, or beyond what 64 bits hold, reads as their end.
    var unixNanoseconds: UInt64 {
        UInt64(exactly: (max(0, timeIntervalSince1970) * 1_000_000_000).rounded(.down)) ?? .max
    }
}
