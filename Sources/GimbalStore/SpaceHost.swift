import GimbalCRDT
import GimbalReplication
import GimbalWire
import Synchronization

/// Makes a node's copy as fresh as its pivot before a read. The replication client of the space is one.
public protocol FreshnessSource: AnyObject, Sendable {
    /// Calls `completion` once, on any thread: `.pivot` when the base holds everything that the pivot had when it was asked
    /// after this call; `.local` when it cannot be known in time.
    func refresh(completion: @escaping @Sendable (Freshness) -> Void)
}

/// The spaces of one process and which path belongs to which.
///
/// A path in no replicated space lives in the process's local space, which goes nowhere.
public final class SpaceHost: Sendable {
    public struct Replicated: Sendable {
        /// Of the space in this process.
        public var name: String
        public var store: any SpaceStore
        /// Nil where this process leads the space: its reads are always the pivot's.
        public var freshness: (any FreshnessSource)?
        /// Paths that are this space's and no other's.
        public var claims: [Pattern]

        public init(
            name: String, store: any SpaceStore, freshness: (any FreshnessSource)? = nil, claims: [Pattern] = []
        ) {
            self.name = name
            self.store = store
            self.freshness = freshness
            self.claims = claims
        }

        /// Until a space's first log is in, or while it cannot be opened, it is not known what it holds, so that every path
        /// that no other claims might be its.
        var mayHoldAnything: Bool { claims.isEmpty && !store.isReady }

        func mayMatch(_ pattern: Pattern) -> Bool {
            mayHoldAnything || (claims + store.records.settings.patterns).contains { $0.overlaps(pattern) }
        }
    }

    public static let localName = "local"

    private let localHome: Replicated
    private let spaces: Mutex<[Replicated]>
    private let replaceListeners = Mutex<[@Sendable () -> Void]>([])

    public init(replicated: [Replicated], local: any SpaceStore) {
        spaces = Mutex(replicated)
        localHome = Replicated(name: Self.localName, store: local)
    }

    public var local: any SpaceStore { localHome.store }
    public var replicated: [Replicated] { spaces.withLock { $0 } }

    public subscript(name: String) -> Replicated? { spaces.withLock { spaces in spaces.first { $0.name == name } } }

    /// Changes one space, and no other: a node that learns which space it is of, or changes its pivot; what it owns.
    public func update(_ name: String, _ change: @Sendable (inout Replicated) -> Void) {
        spaces.withLock { spaces in
            for index in spaces.indices where spaces[index].name == name { change(&spaces[index]) }
        }
        for listener in replaceListeners.withLock({ $0 }) { listener() }
    }

    /// Calls `listener` whenever a space was changed.
    public func onUpdate(_ listener: @escaping @Sendable () -> Void) {
        replaceListeners.withLock { $0.append(listener) }
    }

    /// Where a path lives.
    public func home(of path: Path) -> Replicated {
        let spaces = replicated
        for space in spaces where space.claims.contains(where: { $0.matches(path) }) { return space }
        // Patterns that a space learned to have and may not claim, as they overlap another's: what is left of them is its.
        for space in spaces where space.store.contains(path) { return space }
        for space in spaces where space.mayHoldAnything { return space }
        return localHome
    }

    /// Every space in which paths may match a pattern.
    public func homes(of pattern: Pattern) -> [Replicated] {
        let spaces = replicated
        for space in spaces where space.claims.contains(where: { $0.covers(pattern) }) { return [space] }
        return spaces.filter { $0.mayMatch(pattern) } + [localHome]
    }

    /// What a client reads at a path.
    public func visible(_ path: Path) throws(StoreError) -> VisibleEntry? { try home(of: path).store.visible(path) }

    /// Visits what matches in every space, space by space, each in the order of paths.
    public func scan(_ pattern: Pattern, _ visit: (VisibleEntry) -> Void) throws(StoreError) {
        for home in homes(of: pattern) {
            let lives = livesThere(home)
            try home.store.scan(pattern, after: nil) { entry in
                if lives(entry.path) { visit(entry) }
                return true
            }
        }
    }

    /// The same for callers that want no values; `created` in nanoseconds, as clients are shown it.
    public func scanKeys(_ pattern: Pattern, _ visit: (_ path: Path, _ created: UInt64) -> Void) throws(StoreError) {
        for home in homes(of: pattern) {
            try scanKeys(pattern, in: home, after: nil) { path, created in
                visit(path, created)
                return true
            }
        }
    }

    /// The next keys of a walk through a space that live there; none after the last.
    @concurrent
    public func next(
        _ walk: KeyWalk, in home: Replicated, limit: Int
    ) async throws(StoreError) -> (paths: [Path], rest: KeyWalk) {
        var walk = walk
        return (try walk.next(limit, where: livesThere(home)), walk)
    }

    /// Visits the keys that match and live in one space, in the order of paths, until `visit` returns false.
    public func scanKeys(
        _ pattern: Pattern, in home: Replicated, after: Path?, _ visit: (_ path: Path, _ created: UInt64) -> Bool
    ) throws(StoreError) {
        let lives = livesThere(home)
        try home.store.scanKeys(pattern, after: after) { path, created in
            lives(path) ? visit(path, created.nanoseconds) : true
        }
    }

    /// Whether a path that lies in a space lives there: one that another has taken over since may still lie in the local one.
    private func livesThere(_ home: Replicated) -> (Path) -> Bool {
        guard home.store === local || replicated.count > 1 else { return { _ in true } }
        return { self.home(of: $0).store === home.store }
    }

    public func close() {
        for space in replicated { space.store.close() }
        local.close()
    }
}
