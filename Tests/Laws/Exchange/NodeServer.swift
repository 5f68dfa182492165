import GimbalCRDT
import GimbalReplication
import GimbalWire

/// A node's core on a disk, and what it has to do next.
public struct NodeServer {
    /// What survives a restart.
    public struct Disk {
        public var base: BaseDisk
        public var record: NodeRecord
        public var overlays: [Path: Overlay] = [:]
        public var pending: [UInt64: PendingOperation] = [:]
        public var sealed: [UInt64: SealedOutboxDelta] = [:]
        public var deadLetters: [DeadLetter] = []
        /// Not a server's: what clients were told to be stored here.
        public var acknowledged: [Acknowledged] = []

        public init(base: BaseDisk, record: NodeRecord) {
            self.base = base
            self.record = record
        }
    }

    /// A write that was answered, under what stays when an operation is written again.
    public struct Acknowledged: Hashable {
        public var stamp: HybridTimestamp
        public var path: Path
    }

    public enum Errand { case seal, investigate, reissue }

    /// Read from disk when the core asked for it.
    public struct Push {
        public var number: UInt64
        public var cursor: Cursor
        public var deltas: [IncomingDelta]
    }

    public let signer: FastSigner
    private var stepper: Stepper<NodeDrive>
    var saved: Disk?
    var waiting: [WriteRequest] = []
    public private(set) var errands: [Errand] = []
    public var outgoing: Push?
    private(set) var wantsOwnBodies = false
    /// Whether the pivot admitted it since the start.
    var isJoined = false
    public private(set) var faults: Set<String> = []
    private(set) var reissueCount = 0
    private(set) var lastStamp: HybridTimestamp
    /// Register writes by dot: the write that its writer saw and replaced.
    private(set) var replaced: [Dot: Dot] = [:]
    private let primitives = FastPrimitives()

    public init(signer: FastSigner, disk: Disk) {
        self.signer = signer
        let core = NodeCore(
            base: disk.base.base, record: disk.record, chain: disk.chain, signer: signer, primitives: FastPrimitives())
        stepper = Stepper(core, on: NodeDrive(disk: disk))
        lastStamp = disk.record.clock
    }

    public var core: NodeCore { stepper.machine }

    public private(set) var disk: Disk {
        get { stepper.disk.disk }
        set { stepper.disk.disk = newValue }
    }

    var failsNextCommit: Bool {
        get { stepper.disk.failsNextCommit }
        set { stepper.disk.failsNextCommit = newValue }
    }

    /// What is not on disk is gone.
    public mutating func restart(from disk: Disk? = nil) {
        self = NodeServer(signer: signer, disk: disk ?? self.disk, saved: saved)
    }

    private init(signer: FastSigner, disk: Disk, saved: Disk?) {
        self.init(signer: signer, disk: disk)
        self.saved = saved
    }

    public mutating func takeErrands() -> [Errand] {
        defer { errands = [] }
        return errands
    }

    mutating func postpone(_ errand: Errand) { errands.append(errand) }

    /// As after a connection that broke.
    mutating func beginStreamAgain() {
        isJoined = false
        wantsOwnBodies = core.isInvestigating
    }

    public var everythingPending: [PendingOperation] { disk.pending.values.sorted { $0.sequence < $1.sequence } }

    /// The deltas of a push, read from their bytes as the pivot does.
    private func deltas(_ firstSequences: [UInt64]) throws(Violation) -> [IncomingDelta] {
        var deltas: [IncomingDelta] = []
        for first in firstSequences {
            guard let sealed = disk.sealed[first] else { throw Violation("what is to be sent is on disk", "\(first)") }
            do throws(WireError) {
                let delta = try SealedDelta(decoding: sealed.delta.sealed.bytes)
                deltas.append(IncomingDelta(try delta.verified(primitives)))
            } catch {
                throw Violation("what a node seals verifies", "\(error)")
            }
        }
        return deltas
    }

    // MARK: Steps

    /// False if its commit failed; it is then what a restart would find.
    @discardableResult
    public mutating func step(_ inputs: [NodeInput], now: Now, using random: inout SeededRandom) throws(Violation) -> Bool {
        let seen = views(of: inputs)
        let (clock, incarnation) = (disk.record.clock, disk.record.incarnation)
        let step: GimbalReplication.Step<NodeCommit, NodeDirective>
        do throws(CommitFailure) {
            step = try stepper.run(inputs, now: now, using: &random)
        } catch {
            // As a server does before it takes anything else; then the stream begins again.
            try? stepper.reload()
            beginStreamAgain()
            return false
        }
        if let commit = step.commit {
            note(commit, incarnation, seen)
            if core.record.incarnation == incarnation {
                for operation in commit.addedPending {
                    try require(operation.stamp > clock, "stamps are later than the clock on disk", "\(operation.stamp)")
                }
            }
            try checkOverlays()
        }
        for directive in step.directives {
            switch directive {
            case .publish, .advanced: break
            case .answerWrite(_, .success(let written)): try acknowledge(written, seen)
            case .answerWrite(_, .failure): break
            case .seal: errands.append(.seal)
            case .push(let number, let cursor, let firstSequences):
                outgoing = Push(number: number, cursor: cursor, deltas: try deltas(firstSequences))
            case .follow(let withOwnBodies): wantsOwnBodies = withOwnBodies
            case .investigate: errands.append(.investigate)
            case .reissue: errands.append(.reissue)
            case .fault(let fault):
                if case .refused(let verdict, _) = fault { faults.insert(verdict.rawValue) } else { faults.insert(fault.code) }
            case .faultCleared, .replaced: break
            }
        }
        return true
    }

    /// What clients saw on the paths of the writes among the inputs.
    private func views(of inputs: [NodeInput]) -> [Path: PathState] {
        var views: [Path: PathState] = [:]
        for case .write(let request) in inputs {
            for path in request.paths { views[path] = disk.overlays[path].map { $0.view } ?? disk.base.states[path] }
        }
        return views
    }

    private mutating func note(_ commit: NodeCommit, _ incarnation: UInt64, _ seen: [Path: PathState]) {
        if commit.record.incarnation != incarnation { reissueCount += 1 }
        for operation in commit.addedPending where operation.path.isRegister {
            // Which write of a register this one saw and replaced.
            if let write = seen[operation.path]?.writes.first {
                replaced[Dot(replica: core.replica, sequence: operation.sequence)] = write.dot
            }
        }
    }

    // MARK: What must hold at once

    private mutating func acknowledge(_ written: Written, _ seen: [Path: PathState]) throws(Violation) {
        try require(written.stamp > lastStamp, "stamps strictly increase", "\(written.stamp) after \(lastStamp)")
        lastStamp = written.stamp
        let isLater = seen[written.path]?.writes.allSatisfy { $0.stamp < written.stamp } ?? true
        try require(isLater, "a write is later than all that it saw", "\(written.path)")
        disk.acknowledged.append(Acknowledged(stamp: written.stamp, path: written.path))
    }

    /// Base and outbox against a replica that simply replays: the overlays are exactly the outbox over the base.
    private func checkOverlays() throws(Violation) {
        guard !disk.pending.isEmpty || !disk.overlays.isEmpty else { return }
        var pending: [Path: [PendingOperation]] = [:]
        for operation in everythingPending { pending[operation.path, default: []].append(operation) }
        for path in Set(pending.keys).union(disk.overlays.keys) {
            let overlay = disk.overlays[path]
            let operations = pending[path] ?? []
            try require(
                (overlay?.pending ?? []) == operations.map(\.sequence), "an overlay names what is pending on its path", "\(path)")
            var view = disk.base.states[path]
            for operation in operations { view = PathState.applying(operation.effect(of: core.replica), to: view) }
            try require(
                overlay == nil || overlay?.view == view, "the overlay is the outbox replayed over the base", "\(path)")
        }
    }
}

extension PendingOperation {
    /// What it does while it has no cap.
    func effect(of replica: ReplicaID) -> Effect {
        let dot = Dot(replica: replica, sequence: sequence)
        func write(_ value: [UInt8]?, _ created: HybridTimestamp) -> Write {
            let first = created == .zero ? stamp : min(created, stamp)
            return Write(dot: dot, stamp: stamp, created: first, operationHash: .zero, value: value)
        }
        return switch action {
        case .assign(let value, let created): .write(write(value, created))
        case .clear: .write(write(nil, .zero))
        case .put(let value, let created): .put(write(value, created), observed: observed)
        case .remove: .remove(dot, observed: observed)
        }
    }
}
