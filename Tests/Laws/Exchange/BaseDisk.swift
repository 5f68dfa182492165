import GimbalCRDT
import GimbalReplication
import GimbalWire

/// What a server has on disk of the replicated state: only what commits say, so that what a commit forgets is missed after a
/// restart.
public struct BaseDisk {
    public let space: SpaceID
    public private(set) var states: [Path: PathState] = [:]
    public private(set) var refused: [Dot: String] = [:]
    public private(set) var heads: [ReplicaID: Head] = [:]
    private var digest = StateDigest()
    private var frontier = MerkleTree.Frontier()
    public private(set) var checkpoint: Checkpoint?

    public init(space: SpaceID) { self.space = space }

    mutating func apply(_ commit: BaseCommit) {
        for (path, state) in commit.states { states[path] = state }
        for (dot, reason) in commit.refused { refused[dot] = reason }
        for entry in commit.entries {
            if let link = entry.link { heads[link.replica] = Head(sequence: link.lastSequence, headerHash: link.headerHash) }
        }
        for (index, bytes) in commit.buckets where !digest.restoreBucket(index, from: bytes) {
            preconditionFailure("a bucket has 64 bytes")
        }
        frontier = commit.frontier
        if let reached = commit.checkpoint { checkpoint = reached }
    }

    /// As after a start.
    var base: SpaceBase {
        var records = SpaceRecords()
        for (path, state) in states { records.update(path, state) }
        return SpaceBase(
            space: space, versionVector: VersionVector(heads: heads), refused: refused, digest: digest, frontier: frontier,
            firstPosition: checkpoint?.firstPosition ?? 1, greatestStamp: checkpoint?.greatestStamp ?? .zero, records: records)
    }

    /// The same as a value.
    public var spaceState: SpaceState {
        SpaceState(versionVector: VersionVector(heads: heads), paths: states, refused: refused)
    }
}
