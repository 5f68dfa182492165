import GimbalCRDT

/// One path as a node's clients see it: the base with the node's own pending operations replayed over it. Kept only for
/// paths that the outbox touches.
public struct Overlay: Hashable, Sendable {
    /// What reads answer from.
    public var view: PathState?
    /// Sequences of the pending operations on the path, rising.
    public var pending: [UInt64]
    /// Dots of other replicas that those operations observed.
    public var observed: [Dot]

    public init(view: PathState?, pending: [UInt64], observed: [Dot]) {
        self.view = view
        self.pending = pending
        self.observed = observed
    }

    /// The replay; nil without operations.
    static func replaying(_ operations: [PendingOperation], of replica: ReplicaID, over base: PathState?) -> Overlay? {
        guard !operations.isEmpty else { return nil }
        var overlay = Overlay(view: base, pending: [], observed: [])
        for operation in operations { overlay.append(operation, of: replica) }
        return overlay
    }

    mutating func append(_ operation: PendingOperation, of replica: ReplicaID) {
        view = PathState.applying(operation.provisionalEffect(of: replica), to: view)
        pending.append(operation.sequence)
        // A writer observes again what it observed before: as a rule the last operation's list has all.
        if observed != operation.observed { observed = Set(observed).union(operation.observed).sorted() }
    }
}

/// What a node's step works on: the paths of its inputs, as base and as overlay, and the pending operations on them.
public struct NodeWorkingSet: Sendable {
    public var states: WorkingSet
    private var loadedOverlays: [Path: Overlay?]
    private var changedOverlays: [Path: Overlay?] = [:]
    /// Of every path that a page touches and of every own delta that it acknowledges.
    public var pending: [UInt64: PendingOperation]

    public init(
        states: [Path: PathState?] = [:], overlays: [Path: Overlay?] = [:], pending: [UInt64: PendingOperation] = [:]
    ) {
        self.states = WorkingSet(states)
        loadedOverlays = overlays
        self.pending = pending
    }

    mutating func loadNew(_ path: Path) {
        states.load(path, nil)
        if loadedOverlays[path] == nil { loadedOverlays[path] = .some(nil) }
    }

    func overlay(_ path: Path) -> Overlay? {
        if let changed = changedOverlays[path] { return changed }
        guard let loaded = loadedOverlays[path] else { preconditionFailure("\(path) was not loaded for this step") }
        return loaded
    }

    mutating func setOverlay(_ path: Path, _ overlay: Overlay?) { changedOverlays[path] = .some(overlay) }

    /// Every path whose overlay was loaded or changed.
    var overlayPaths: Set<Path> { Set(loadedOverlays.keys).union(changedOverlays.keys) }

    /// As clients see it.
    func view(_ path: Path) -> PathState? {
        if let overlay = overlay(path) { return overlay.view }
        return states[path]
    }

    var overlayChanges: [(path: Path, overlay: Overlay?)] {
        changedOverlays.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }
}
