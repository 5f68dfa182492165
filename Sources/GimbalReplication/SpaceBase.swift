import GimbalCRDT
import GimbalWire

/// The part of a space's state that is kept in memory, and the one rule by which log entries change it. The pivot and every
/// node apply the same entries in the same order with this code, so their states are equal at equal positions.
public struct SpaceBase: Sendable {
    public let space: SpaceID
    public private(set) var versionVector: VersionVector
    /// Dots that are covered without effect, with the reason.
    public private(set) var refused: [Dot: String]
    public private(set) var digest: StateDigest
    /// The right edge of the log tree.
    public private(set) var frontier: MerkleTree.Frontier
    /// Position of the log tree's first leaf.
    public private(set) var firstPosition: UInt64
    /// The greatest cap or effective stamp so far.
    public private(set) var greatestStamp: HybridTimestamp
    public private(set) var records: SpaceRecords

    /// Position of the last entry.
    public var position: UInt64 { firstPosition + frontier.count - 1 }

    public init(
        space: SpaceID, versionVector: VersionVector = VersionVector(), refused: [Dot: String] = [:],
        digest: StateDigest = StateDigest(), frontier: MerkleTree.Frontier = .init(), firstPosition: UInt64 = 1,
        greatestStamp: HybridTimestamp = .zero, records: SpaceRecords = SpaceRecords()
    ) {
        self.space = space
        self.versionVector = versionVector
        self.refused = refused
        self.digest = digest
        self.frontier = frontier
        self.firstPosition = firstPosition
        self.greatestStamp = greatestStamp
        self.records = records
    }

    /// The cap of the next entry: the pivot's time plus the allowance, but always beyond everything before it, so that who
    /// has seen a value can overwrite it.
    func nextCap(pivotMilliseconds: UInt64) -> HybridTimestamp {
        let ahead = pivotMilliseconds.addingReportingOverflow(records.settings.maxClockAheadMilliseconds)
        let allowed = min(HybridTimestamp(milliseconds: ahead.overflow ? .max : ahead.partialValue), .greatest)
        return max(allowed, greatestStamp.successor)
    }

    /// False once a cap was the last stamp of all: another could not lie beyond it, and no node would take it.
    var hasCaps: Bool { greatestStamp < .greatest }

    /// Whether everything that the delta observes of other replicas is covered.
    func coversObserved(of header: DeltaHeader) -> Bool {
        header.observed.allSatisfy { versionVector[$0.replica].sequence >= $0.greatestSequence }
    }

    /// Applies one accepted delta as the log has it.
    ///
    /// - Parameter delta: refused operations are hidden in it.
    /// - Precondition: it extends its replica's head.
    mutating func apply(
        _ delta: IncomingDelta, refusals: [Refusal], cap: HybridTimestamp, leaf: Digest, to states: inout WorkingSet,
        _ changes: inout BaseChanges, _ primitives: any Primitives
    ) {
        let header = delta.header
        for index in 0..<header.count {
            guard let (path, effect) = delta.effect(index, cap: cap) else { continue }
            let state = states.apply(effect, at: path)
            for dot in effect.observed { forgetRefused(dot, &changes, primitives) }
            if path.isReserved { records.update(path, state) }
        }
        for refusal in refusals {
            let dot = header.dot(at: refusal.index)
            refused[dot] = refusal.reason
            digest.count(refused: dot, reason: refusal.reason, .adding, primitives)
            changes.refused[dot] = .some(refusal.reason)
        }
        let before = versionVector[header.replica]
        let head = Head(sequence: header.lastSequence, headerHash: delta.verified.headerHash)
        versionVector.advance(header.replica, to: head)
        digest.count(before, of: header.replica, .removing, primitives)
        digest.count(head, of: header.replica, .adding, primitives)
        greatestStamp = max(greatestStamp, cap)
        frontier.append(leaf, primitives)
    }

    private mutating func forgetRefused(_ dot: Dot, _ changes: inout BaseChanges, _ primitives: any Primitives) {
        guard let reason = refused.removeValue(forKey: dot) else { return }
        digest.count(refused: dot, reason: reason, .removing, primitives)
        changes.refused[dot] = .some(nil)
    }

    /// Brings the digest up to date with what a step changed in the states, once a commit.
    ///
    /// - Returns: its value.
    mutating func settleDigest(_ changes: [StateChange], _ primitives: any Primitives) -> Digest {
        for change in changes {
            digest.replace(change.before?.writes ?? [], with: change.after?.writes ?? [], on: change.path, primitives)
        }
        return digest.value(primitives)
    }

    mutating func takeChangedBuckets() -> [(index: Int, bytes: [UInt8])] {
        digest.takeChanged().map { ($0, digest.bucket($0)) }
    }
}

/// What applying entries changed beside the states of paths.
struct BaseChanges: Sendable {
    /// Nil: no longer kept.
    var refused: [Dot: String?] = [:]
}
