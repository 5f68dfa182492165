import GimbalStorage
import GimbalWire

/// How much of the log is kept whole, and for whom (docs/architecture.md, "Horizon").
public struct RetentionOptions: Sendable {
    /// The newest entries, which stay whole in any case: for nodes that are away for a moment.
    public var keptEntries: UInt64 = 10_000
    /// More entries than this are not kept whole, whoever lacks them.
    public var mostEntries: UInt64 = 1_000_000
    /// Nor more bytes of entries than this.
    public var mostBytes: UInt64 = 1 << 30
    /// A node that was heard of within this time holds the horizon, in milliseconds.
    public var liveMilliseconds: UInt64 = 7 * 24 * 3600 * 1000
    /// How long a snapshot that was cut off waits for its node, and holds the horizon, in milliseconds.
    public var snapshotMilliseconds: UInt64 = 60_000
    /// Between two looks at the log, in milliseconds.
    public var intervalMilliseconds: Int = 2000
    /// While the log grows its upkeep rests this many times as long as it worked.
    public var restFactor = 9
    /// And no longer than this: a step may have taken long because the machine slept.
    public var longestRest = Duration.seconds(10)
    /// Entries, and bytes of them, that one step prunes.
    public var entriesPerStep = 512
    public var bytesPerStep = 4 << 20

    public init() {}

    /// How long upkeep rests after a step: not at all when nobody writes, or when the log has outgrown its bounds.
    ///
    /// - Parameters:
    ///   - worked: how long the step took.
    ///   - isGrowing: whether something was written meanwhile.
    ///   - entries: from the horizon on.
    ///   - bytes: theirs.
    package func rest(after worked: Duration, isGrowing: Bool, entries: UInt64, bytes: UInt64) -> Duration? {
        guard isGrowing, entries <= mostEntries, bytes <= mostBytes else { return nil }
        return min(worked * restFactor, longestRest)
    }
}

/// How far retention is, as it is stored.
struct RetentionRecord: Hashable, Sendable {
    /// The first position whose entry is whole for sure.
    var horizon: UInt64 = 1
    /// Entries below it have been pruned; behind the horizon after a crash.
    var prunedTo: UInt64 = 1
    /// Entries below the horizon that still prove something.
    var retained: UInt64 = 0
    /// Where the search for proofs of dead operations goes on; 0: none is under way.
    var sweep: UInt64 = 0
    /// Entries that crossed the horizon since the last search began.
    var crossed: UInt64 = 0
    /// Entries up to here are counted in `bytes`.
    var countedTo: UInt64 = 0
    /// Bytes of entries from the horizon on.
    var bytes: UInt64 = 0

    var encoded: [UInt8] {
        var writer = CBORWriter()
        writer.array(count: 7)
        for number in [horizon, prunedTo, retained, sweep, crossed, countedTo, bytes] { writer.unsigned(number) }
        return writer.bytes
    }

    init() {}

    init(decoding bytes: [UInt8]) throws(WireError) {
        var reader = CBORReader(bytes)
        try reader.array(of: 7)
        // The horizon is one beyond the last position.
        let limit = Limits.ordinalLimit * 2
        horizon = try reader.ordinal(below: limit)
        prunedTo = try reader.ordinal(below: limit)
        retained = try reader.ordinal(below: limit)
        sweep = try reader.ordinal(below: limit)
        crossed = try reader.ordinal(below: limit)
        countedTo = try reader.ordinal(below: limit)
        self.bytes = try reader.ordinal(below: limit)
        try reader.expectEnd()
        guard horizon > 0 else { throw WireError(.inconsistent, at: 0, "positions begin with 1") }
    }

    static func load(_ view: any StorageView) throws(StoreError) -> RetentionRecord {
        let bytes = try storing { () throws(StorageError) in try view.load([RecordKey.retention], from: .metadata)[0] }
        guard let bytes else { return RetentionRecord() }
        return try decoding("retention") { () throws(WireError) in try RetentionRecord(decoding: bytes) }
    }
}
