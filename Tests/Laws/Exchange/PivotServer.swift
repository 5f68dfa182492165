import GimbalCRDT
import GimbalReplication
import GimbalWire

/// The pivot's core on a disk.
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

    private var stepper: Stepper<PivotDrive>
    var waiting: [WriteRequest] = []
    private let primitives = FastPrimitives()

    public init(disk: Disk, signer: FastSigner) {
        let core = PivotCore(base: disk.base.base, record: disk.record, signer: signer, primitives: primitives)
        stepper = Stepper(core, on: PivotDrive(disk: disk, signer: signer))
    }

    public var core: PivotCore { stepper.machine }
    public var disk: Disk { stepper.disk.disk }

    var failsNextCommit: Bool {
        get { stepper.disk.failsNextCommit }
        set { stepper.disk.failsNextCommit = newValue }
    }

    public func contains(_ cursor: Cursor) -> Bool {
        core.record.contains(cursor, end: core.base.position, checkpoint: disk.checkpoint(at: cursor.position))
    }

    /// What the step says, or nil if its commit failed; it is then what a restart would find.
    public mutating func step(
        _ inputs: [PivotInput], now: Now, using random: inout SeededRandom
    ) throws(Violation) -> [PivotDirective]? {
        let step: GimbalReplication.Step<PivotCommit, PivotDirective>
        do throws(PivotDrive.Failure) {
            step = try stepper.run(inputs, now: now, using: &random)
        } catch {
            switch error {
            case .commit:
                // As a server does before it takes anything else.
                try? stepper.reload()
                return nil
            case .violation(let violation): throw violation
            }
        }
        return step.directives
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
