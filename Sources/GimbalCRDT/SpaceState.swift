/// The whole state of a space as a value in memory: what tests and small embedded uses merge.
///
/// Servers hold the same parts in storage and apply the same rules path by path (GimbalReplication).
/// Delta-state CRDTs with a causal context: P. S. Almeida, A. Shoker, C. Baquero, "Delta State Replicated Data Types", 2018.
public struct SpaceState: Equatable, Sendable {
    public private(set) var versionVector: VersionVector
    public private(set) var paths: [Path: PathState]
    /// Dots that are covered and had no effect, with the reason, until an accepted operation observes them.
    public private(set) var refused: [Dot: String]

    public init(versionVector: VersionVector = VersionVector(), paths: [Path: PathState] = [:], refused: [Dot: String] = [:]) {
        self.versionVector = versionVector
        self.paths = paths
        self.refused = refused
    }

    /// Applies the next operation of a replica.
    ///
    /// - Returns: false, with nothing changed, for a dot that is covered already (a replay).
    /// - Precondition: the dot extends its replica's head; what it observes is covered. Both are checked for whole deltas.
    @discardableResult
    public mutating func apply(_ effect: Effect, to path: Path, headerHash: Digest = .zero) -> Bool {
        let dot = effect.dot
        guard !versionVector.covers(dot) else { return false }
        precondition(dot.sequence == versionVector[dot.replica].sequence + 1, "a delta extends its replica's head")
        paths[path] = PathState.applying(effect, to: paths[path])
        for observed in effect.observed { refused[observed] = nil }
        versionVector.advance(dot.replica, to: Head(sequence: dot.sequence, headerHash: headerHash))
        return true
    }

    /// Covers a dot without effect.
    public mutating func refuse(_ dot: Dot, reason: String, headerHash: Digest = .zero) {
        guard !versionVector.covers(dot) else { return }
        refused[dot] = reason
        versionVector.advance(dot.replica, to: Head(sequence: dot.sequence, headerHash: headerHash))
    }

    /// The join of two states that went apart.
    public func joined(_ other: SpaceState) -> SpaceState {
        let join = StateJoin(side, other.side)
        var joined = SpaceState(versionVector: join.versionVector, refused: join.refused)
        joined.paths.reserveCapacity(max(paths.count, other.paths.count))
        for (path, state) in paths { joined.paths[path] = join.state(state, other.paths[path]) }
        for (path, state) in other.paths where paths[path] == nil { joined.paths[path] = join.state(nil, state) }
        return joined
    }

    private var side: StateJoin.Side { StateJoin.Side(versionVector: versionVector, refused: refused) }
}
