import GimbalCRDT
import GimbalReplication
import GimbalRocksDB
import GimbalStorage
import GimbalWire

/// One space of this process, as its clients use it: led here (`PivotSpace`) or followed (`NodeSpace`).
public protocol SpaceStore: AnyObject, Sendable {
    var space: SpaceID { get }
    /// Whether a path belongs to the space, as far as is known here.
    func contains(_ path: Path) -> Bool
    /// Whether the space can be read and written.
    var isReady: Bool { get }
    /// Whether the space stays unreadable until its operator mends it.
    var isUnavailable: Bool { get }

    /// Takes a write. `completion` is called once, on the writer's thread, when the write is on disk or refused: it must not
    /// block.
    func submit(_ action: WriteRequest.Action, completion: @escaping @Sendable (Result<Written, WriteFailure>) -> Void)

    /// What is at a path for clients; nil when there was never anything or it is gone.
    func state(_ path: Path) throws(StoreError) -> PathState?

    /// Calls `visit` for each path that matches and shows something, in the order of paths, until it returns false.
    func scan(_ pattern: Pattern, after: Path?, _ visit: (VisibleEntry) -> Bool) throws(StoreError)

    /// The same for callers that want no values: `created` is that of the path's `VisibleEntry`.
    func scanKeys(
        _ pattern: Pattern, after: Path?, _ visit: (_ path: Path, _ created: HybridTimestamp) -> Bool
    ) throws(StoreError)

    /// The keys that match and show something now, to be read some at a time while others write.
    func walk(_ pattern: Pattern) throws(StoreError) -> KeyWalk

    /// Why a path shows what it shows, searching the last `depth` entries of the log: for a person's question, not for reads.
    func explain(_ path: Path, depth: UInt64) throws(StoreError) -> Explanation

    /// What the space says about itself, as far as it is known here.
    var records: SpaceRecords { get }

    /// Paths whose visible state changed, commit by commit.
    func subscribe(_ listener: @escaping @Sendable ([Path]) -> Void)

    /// Calls `listener` when every path may show something else.
    func onReplaced(_ listener: @escaping @Sendable () -> Void)

    /// What its storage's trouble is; nil while there is none.
    var storageFault: NodeFault? { get }

    /// Commits what was submitted, then stops and closes the storage.
    func close()
}

extension SpaceStore {
    public var isUnavailable: Bool { false }
    public var storageFault: NodeFault? { nil }
    public func onReplaced(_ listener: @escaping @Sendable () -> Void) {}

    /// What a read answers; nil when there is nothing to show.
    public func visible(_ path: Path) throws(StoreError) -> VisibleEntry? {
        try state(path)?.visible.map { VisibleEntry(path: path, write: $0) }
    }

    /// `submit` for callers that can wait.
    public func write(_ action: WriteRequest.Action) async -> Result<Written, WriteFailure> {
        await withCheckedContinuation { continuation in
            submit(action) { continuation.resume(returning: $0) }
        }
    }
}

/// How much of the machine a space may take.
public struct SpaceOptions: Sendable {
    /// Bytes of recently used states that are kept decoded.
    public var cacheBytes: Int
    /// Shifts the wall clock: for tests of wrong clocks.
    public var wallOffsetMilliseconds: Int64
    public var storage: RocksDBOptions
    /// How much of the log is kept.
    public var retention: RetentionOptions
    /// Bytes of a snapshot that a node collects in memory before it stages them.
    public var stagedChunkBytes = 32 << 20
    /// Bytes of a snapshot that a pivot sends at a time.
    public var snapshotFrameBytes = SnapshotItem.frameBytes
    /// Makes who is told what the space's writer does.
    public var watcher: @Sendable (SpaceID) -> (any SpaceWatcher)? = { _ in nil }

    public init(
        cacheBytes: Int = 24 << 20, wallOffsetMilliseconds: Int64 = 0, storage: RocksDBOptions = RocksDBOptions(),
        retention: RetentionOptions = RetentionOptions()
    ) {
        self.cacheBytes = cacheBytes
        self.wallOffsetMilliseconds = wallOffsetMilliseconds
        self.storage = storage
        self.retention = retention
    }

    /// Data files that its database holds open, each with a descriptor.
    public var openFileLimit: Int {
        get { storage.openFileLimit }
        set { storage.openFileLimit = newValue }
    }

    /// For processes of which many share a machine.
    public static var small: SpaceOptions { SpaceOptions(cacheBytes: 1 << 20, storage: .small) }
}

extension WriteFailure {
    /// What a write learns when its commit failed.
    init(_ error: StorageError) {
        switch error {
        case .full: self = .storageFull
        case .closed: self = .closed
        case .uncertain: self = .outcomeUnknown
        case .locked, .notWritable, .corrupt, .newerFormat, .recovering, .failed: self = .storageFailed
        }
    }
}

extension StorageEngine {
    var statisticsByName: [String: UInt64] {
        Dictionary(statistics.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
    }
}
