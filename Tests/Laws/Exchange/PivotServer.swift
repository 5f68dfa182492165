import GimbalCRDT
import GimbalReplication
import GimbalWire

/// The pivot's core with a disk: loads what a step needs, steps, commits.
public struct PivotServer {
    /// What survives a restart.
    public struct Disk {
        public var base: BaseDisk
        public var record = PivotRecord()
        /// By position, from 1: each entry, and its delta as nodes get it.
        public var log: [(entry: LogEntry, delta: IncomingDelta)] = []
        /// Of each commit.
        public var checkpoints: [(position: UInt64, checkpoint: VerifiedCheckpoint)] = []

        public init(base: BaseDisk) { self.base = base }
    }

    public private(set) var disk: Disk
    public private(set) var core: PivotCore
    var failsNextCommit = false
    var waiting: [WriteRequest] = []
    private let signer: FastSigner
    private let primitives = FastPrimitives()

    public init(disk: Disk, signer: FastSigner) {
        self.disk = disk
        self.signer = signer
        core = PivotCore(base: disk.base.base, record: disk.record, signer: signer, primitives: primitives)
    }

    public func checkpoint(at position: UInt64) -> Checkpoint? {
        disk.checkpoints.last { $0.position == position }?.checkpoint.checkpoint
    }

    public func contains(_ cursor: Cursor) -> Bool { core.contains(cursor, checkpoint: checkpoint(at: cursor.position)) }

    /// What the step says, or nil if its commit failed and everything is as before.
    public mutating func step(
        _ inputs: [PivotInput], now: Now, using random: inout SeededRandom
    ) throws(Violation) -> [PivotDirective]? {
        var states: [Path: PathState?] = [:]
        for path in inputs.flatMap(\.paths) { states[path] = .some(disk.base.states[path]) }
        let before = failsNextCommit ? core : nil
        let directives = core.step(inputs, states: WorkingSet(states), now: now, using: &random)
        guard case .commit(let commit)? = directives.first else { return directives }
        if let before {
            failsNextCommit = false
            core = before
            return nil
        }
        try apply(commit)
        return directives
    }

    private mutating func apply(_ commit: PivotCommit) throws(Violation) {
        disk.base.apply(commit.base)
        disk.record = commit.record
        do throws(WireError) {
            for appended in commit.base.entries {
                let entry = try LogEntry(decoding: appended.bytes)
                guard case .delta(let sealed) = entry.body, appended.position == UInt64(disk.log.count) + 1 else {
                    throw WireError(.inconsistent)
                }
                disk.log.append((entry, IncomingDelta(try sealed.verified(primitives))))
            }
            guard let checkpoint = commit.base.checkpoint else { throw WireError(.inconsistent) }
            let signed = SignedPayload(signing: checkpoint.encoded, with: signer)
            let verified = try VerifiedCheckpoint(verifying: signed, by: signer.author, of: disk.base.space, primitives)
            disk.checkpoints.append((checkpoint.position, verified))
        } catch {
            throw Violation("a pivot appends entries that verify, and a checkpoint with each commit", "\(error)")
        }
    }

    /// The page after a position that takes in `limit` commits; nil when there is nothing after it.
    public func page(after position: UInt64, limit: Int, receiptsFor replica: ReplicaID?) -> NodePage? {
        guard let end = disk.checkpoints.filter({ $0.position > position }).prefix(limit).last else { return nil }
        let entries = disk.log[Int(position)..<Int(end.position)].map { entry, delta in
            NodePage.Entry(
                body: delta.header.replica == replica ? .receipt(headerHash: delta.verified.headerHash) : .delta(delta),
                cap: entry.cap, refusals: entry.refusals, leaf: entry.leaf(primitives))
        }
        return NodePage(after: position, entries: entries, checkpoint: end.checkpoint)
    }
}
