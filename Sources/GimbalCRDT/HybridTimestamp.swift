/// A reading of a hybrid logical clock: 48 bits of Unix milliseconds, then 16 bits of counter.
///
/// S. Kulkarni, M. Demirbas et al., "Logical Physical Clocks and Consistent Snapshots in Globally Distributed
/// Databases", 2014.
public struct HybridTimestamp: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var rawValue: UInt64

    @inlinable
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Milliseconds beyond 48 bits are cut to the greatest stamp.
    public init(milliseconds: UInt64, counter: UInt16 = 0) {
        self.init(rawValue: milliseconds >> 48 == 0 ? milliseconds << 16 | UInt64(counter) : .max)
    }

    @inlinable public static var zero: Self { Self(rawValue: 0) }
    /// The last stamp whose nanoseconds fit in a signed 64-bit number; a later one is malformed.
    public static var greatest: Self { Self(milliseconds: 9_223_372_036_854, counter: 0xffff) }

    public var milliseconds: UInt64 { rawValue >> 16 }
    public var counter: UInt16 { UInt16(truncatingIfNeeded: rawValue) }
    public var isWellFormed: Bool { self <= Self.greatest }

    /// What clients are shown: milliseconds × 1,000,000 + counter. Meaningful for well-formed stamps only.
    public var nanoseconds: UInt64 { milliseconds * 1_000_000 + UInt64(counter) }

    /// The next stamp; the counter overflows into the milliseconds. The greatest one stays.
    public var successor: Self { self < Self.greatest ? Self(rawValue: rawValue + 1) : Self.greatest }

    @inlinable
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    public var description: String { "\(milliseconds).\(counter)" }
}
