/// How large things may be. A space may set smaller ones; every decoder accepts the hard maxima.
public struct Limits: Hashable, Sendable {
    /// Bytes of JSON text in one value.
    public var valueBytes = 1 << 20
    /// Operations in one delta.
    public var operationsPerDelta = 4096
    /// Bytes of one sealed delta.
    public var deltaBytes = 8 << 20

    public init() {}

    public static let hardMaximumValueBytes = 16 << 20
    public static let hardMaximumOperationsPerDelta = 4096
    /// One operation may be as large as the greatest value and its observed dots.
    public static let hardMaximumDeltaBytes = 24 << 20
    public static let observedDotsPerOperation = 4096
    public static let observedReplicasPerDelta = 4096
    /// Positions, sequences, counts, epoch numbers and times are below it. Nobody counts so far, and two of them added, or one
    /// and the operations of a delta, still fit in a signed number of 64 bits.
    public static let ordinalLimit: UInt64 = 1 << 62
    public static let cborNesting = 6
    public static let jsonNesting = 128
    public static let textBytes = 1024
    public static let reasonBytes = 64
}
