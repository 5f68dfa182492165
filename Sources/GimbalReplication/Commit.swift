import GimbalCRDT
import GimbalWire

/// Where one delta of a replica's chain lies in the log.
public struct ChainLink: Hashable, Sendable {
    public var replica: ReplicaID
    public var firstSequence: UInt64
    public var lastSequence: UInt64
    public var headerHash: Digest
    public var position: UInt64

    public init(
        replica: ReplicaID, firstSequence: UInt64, lastSequence: UInt64, headerHash: Digest, position: UInt64
    ) {
        self.replica = replica
        self.firstSequence = firstSequence
        self.lastSequence = lastSequence
        self.headerHash = headerHash
        self.position = position
    }
}

/// One entry to be appended to the stored log.
public struct AppendedEntry: Sendable {
    public var position: UInt64
    /// `LogEntry.encoded`, always with the delta.
    public var bytes: [UInt8]
    /// Nil for a join.
    public var link: ChainLink?

    public init(position: UInt64, bytes: [UInt8], link: ChainLink?) {
        self.position = position
        self.bytes = bytes
        self.link = link
    }
}

/// Changes of the replicated state that pivot and node store alike.
public struct BaseCommit: Sendable {
    /// Nil: nothing is kept on the path.
    public var states: [(path: Path, state: PathState?)] = []
    public var entries: [AppendedEntry] = []
    public var refused: [(dot: Dot, reason: String?)] = []
    public var buckets: [(index: Int, bytes: [UInt8])] = []
    /// The place that is reached; nil when the base did not change.
    public var checkpoint: Checkpoint?
    public var frontier: MerkleTree.Frontier

    init(_ base: inout SpaceBase, _ states: [StateChange], _ changes: BaseChanges, _ entries: [AppendedEntry]) {
        self.states = states.map { ($0.path, $0.after) }
        self.entries = entries
        refused = changes.refused.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        buckets = base.takeChangedBuckets()
        frontier = base.frontier
    }
}
