import GimbalCRDT
import GimbalReplication
import Synchronization

/// How fresh a read of a synced path has to be (the request header `Gimbal-Read`).
public enum ReadPreference: String, Sendable {
    /// Ask the pivot first; past the deadline answer from the own copy and say so.
    case fresh
    /// The own copy, at once.
    case local
    /// The pivot's state or nothing.
    case latest
}

/// How fresh an answer is (the answer's header `Gimbal-Freshness`).
public enum Freshness: String, Sendable {
    case pivot
    case local
}

/// Makes a node's copy as fresh as its pivot before a read. The replication client of the space is one.
public protocol FreshnessSource: Sendable {
    /// Calls `completion` once, on any thread: `.pivot` when the base holds everything that the pivot had when it was asked
    /// after this call; `.local` when it cannot be known in time.
    func refresh(completion: @escaping @Sendable (Freshness) -> Void)
}

/// The spaces of one process and which path belongs to which.
///
/// A path in no replicated space lives in the process's local space, which goes nowhere.
public final class SpaceHost: Sendable {
    public struct Replicated: Sendable {
        public var store: any SpaceStore
        /// Nil where this process leads the space: its reads are always the pivot's.
        public var freshness: (any FreshnessSource)?

        public init(store: any SpaceStore, freshness: (any FreshnessSource)? = nil) {
            self.store = store
            self.freshness = freshness
        }
    }

    public let local: any SpaceStore
    private let spaces: Mutex<[Replicated]>
    private let replaceListeners = Mutex<[@Sendable () -> Void]>([])

    public init(replicated: [Replicated], local: any SpaceStore) {
        spaces = Mutex(replicated)
        self.local = local
    }

    public var replicated: [Replicated] { spaces.withLock { $0 } }

    /// Serves other spaces from now on; for a node that learns which space it is of, or changes its pivot.
    public func replace(_ replicated: [Replicated]) {
        spaces.withLock { $0 = replicated }
        for listener in replaceListeners.withLock({ $0 }) { listener() }
    }

    /// Calls `listener` whenever other spaces are served than before.
    public func onReplace(_ listener: @escaping @Sendable () -> Void) {
        replaceListeners.withLock { $0.append(listener) }
    }

    /// Where a path lives. Until a node has its first log it does not know what its space holds, so that every path might
    /// be the space's.
    public func home(of path: Path) -> Replicated {
        for candidate in replicated where !candidate.store.isReady || candidate.store.contains(path) { return candidate }
        return Replicated(store: local)
    }

    /// Every space in which paths may match a pattern.
    public func homes(of pattern: Pattern) -> [Replicated] {
        replicated + [Replicated(store: local)]
    }

    /// What a client reads at a path.
    public func visible(_ path: Path) throws(StoreError) -> VisibleEntry? { try home(of: path).store.visible(path) }

    /// Visits what matches in every space, space by space, each in the order of paths.
    public func scan(_ pattern: Pattern, _ visit: (VisibleEntry) -> Void) throws(StoreError) {
        for home in homes(of: pattern) {
            try home.store.scan(pattern, after: nil) { entry in
                // A path that a space has taken over since may still lie in the local one.
                if home.store !== local || self.home(of: entry.path).store === local { visit(entry) }
                return true
            }
        }
    }

    public func close() {
        for space in replicated { space.store.close() }
        local.close()
    }
}

/// Stands for a space that this node does not hold yet: nothing can be read or written.
public final class AwaitedSpace: SpaceStore {
    public let space = SpaceID.zero

    public init() {}

    public var isReady: Bool { false }
    public func contains(_ path: Path) -> Bool { true }
    public func submit(
        _ action: WriteRequest.Action, completion: @escaping @Sendable (Result<Written, WriteFailure>) -> Void
    ) {
        completion(.failure(.notReady))
    }
    public func state(_ path: Path) throws(StoreError) -> PathState? { nil }
    public func scan(_ pattern: Pattern, after: Path?, _ visit: (VisibleEntry) -> Bool) throws(StoreError) {}
    public func explain(_ path: Path, depth: UInt64) throws(StoreError) -> Explanation {
        Explanation(path: path, standing: [], superseded: [], searchedFrom: 1)
    }
    public var records: SpaceRecords { SpaceRecords() }
    public func subscribe(_ listener: @escaping @Sendable ([Path]) -> Void) {}
    public func close() {}
}
