import GimbalCRDT
import GimbalWire

/// What the pivot of a space is asked to do.
public enum PivotInput: Sendable {
    case write(WriteRequest)
    case push(PivotPush)
}

/// A push of a node, its deltas verified already.
public struct PivotPush: Sendable {
    /// Comes back in the answer.
    public var token: UInt64
    public var cursor: Cursor
    /// Of one replica, in the order of its chain.
    public var deltas: [IncomingDelta]
    /// Whether they were in a bundle that was proven to be of the space. A pivot that was restored finds there what it signed
    /// itself and does not have any more; nobody else can have signed it.
    public var isFromBundle: Bool

    public init(token: UInt64, cursor: Cursor, deltas: [IncomingDelta], isFromBundle: Bool = false) {
        self.isFromBundle = isFromBundle
        self.token = token
        self.cursor = cursor
        self.deltas = deltas
    }
}

/// What the pivot says to a push.
public struct PushOutcome: Hashable, Sendable {
    public var verdict: Answer.Verdict
    /// The head that the pivot holds of the pushing replica.
    public var head: Head
    public var detail: String
    /// Why single operations of it were refused, one reason for each.
    public var refusals: [String] = []
    /// Milliseconds by which its greatest stamp was above the cap; 0 for one that was below.
    public var aheadMilliseconds: UInt64 = 0
}

/// What a pivot's step has to be followed by once its commit is durable.
public enum PivotDirective: Sendable {
    case answerWrite(token: UInt64, Result<Written, WriteFailure>)
    case answerPush(token: UInt64, PushOutcome)
    /// The log has grown: whoever follows it and whoever subscribed to one of the paths wants to know.
    case publish(Checkpoint, paths: [Path])
}

/// One durable step of a pivot.
public struct PivotCommit: Sendable {
    public var base: BaseCommit
    public var record: PivotRecord
    /// When this commit is the first of an epoch.
    public var openedEpoch: PivotRecord.EpochStart?
}

/// What a pivot knows beside the replicated state.
public struct PivotRecord: Hashable, Sendable {
    /// One life of the log.
    public struct EpochStart: Hashable, Sendable {
        public var epoch: Epoch
        public var firstPosition: UInt64

        public init(epoch: Epoch, firstPosition: UInt64) {
            self.epoch = epoch
            self.firstPosition = firstPosition
        }
    }

    /// The epochs of the log; their numbers rise.
    public var epochs: [EpochStart]
    public var clock: HybridTimestamp
    public var pivotMilliseconds: UInt64

    /// Whether a log with these epochs contains a cursor: its epoch is known, its position is in that epoch, and the log root
    /// is the same; below the horizon the root is not known any more.
    ///
    /// - Parameters:
    ///   - cursor: the one that somebody asks with.
    ///   - end: the position of the log's last entry.
    ///   - checkpoint: what is stored at the cursor's position, if anything.
    ///   - horizon: the position of the oldest entry that the log still has.
    public func contains(_ cursor: Cursor, end: UInt64, checkpoint: Checkpoint?, horizon: UInt64 = 1) -> Bool {
        if cursor == .start { return true }
        guard let index = epochs.firstIndex(where: { $0.epoch == cursor.epoch }) else { return false }
        let end = index + 1 < epochs.count ? epochs[index + 1].firstPosition - 1 : end
        return cursor.position >= epochs[index].firstPosition && cursor.position <= end
            && (checkpoint.map { $0.logRoot == cursor.logRoot } ?? (cursor.position < horizon - 1))
    }

    public init(epochs: [EpochStart] = [], clock: HybridTimestamp = .zero, pivotMilliseconds: UInt64 = 0) {
        self.epochs = epochs
        self.clock = clock
        self.pivotMilliseconds = pivotMilliseconds
    }
}

/// The pivot of one space as a value: inputs in; a commit and directives out. It can do nothing itself; it knows no clock, dice,
/// disk or network; `Stepper` runs it.
public struct PivotCore: Sendable {
    public private(set) var base: SpaceBase
    public private(set) var record: PivotRecord
    let signer: any Signer
    let primitives: any Primitives
    private var time: PivotTime
    /// Nil until the first commit after the start, which opens the epoch.
    private var writer: Writer?

    public init(base: SpaceBase, record: PivotRecord, signer: any Signer, primitives: any Primitives) {
        self.base = base
        self.record = record
        self.signer = signer
        self.primitives = primitives
        time = PivotTime(storedMilliseconds: record.pivotMilliseconds)
    }

    /// The pivot as it is stored now, after a commit whose outcome is not known: the next commit opens an epoch, and its own
    /// writes take a new incarnation.
    public func reloaded(base: SpaceBase, record: PivotRecord) -> PivotCore {
        var fresh = PivotCore(base: base, record: record, signer: signer, primitives: primitives)
        // Its time never goes back, whatever of it was stored.
        fresh.time = time
        return fresh
    }

    /// The end of the log, as of the last commit; the start for an empty one.
    public var place: Cursor {
        guard let last = record.epochs.last else { return .start }
        return Cursor(epoch: last.epoch, position: base.position, logRoot: base.frontier.root(primitives))
    }

    /// Never goes back.
    public mutating func pivotMilliseconds(_ now: Now) -> UInt64 { time.read(now) }

    public mutating func step(
        _ inputs: [PivotInput], given facts: PivotFacts, now: Now, using random: inout some RandomNumberGenerator
    ) -> Step<PivotCommit, PivotDirective> {
        let milliseconds = time.read(now)
        var step = PivotStep(states: facts.states, milliseconds: milliseconds)
        for input in inputs {
            if case .push(let push) = input {
                // An epoch opens with the first entry, so a push that only fails opens none.
                step.answers.append(.answerPush(token: push.token, accept(push, facts, &step)))
            }
        }
        let writes = inputs.compactMap { if case .write(let request) = $0 { request } else { nil } }
        if !writes.isEmpty { write(writes, &step, wallMilliseconds: now.wallMilliseconds, using: &random) }
        guard !step.entries.isEmpty else { return Step(directives: step.answers) }
        return finish(step, using: &random)
    }

    /// What accumulates between the inputs and the commit.
    struct PivotStep {
        var states: WorkingSet
        let milliseconds: UInt64
        var changes = BaseChanges()
        var entries: [AppendedEntry] = []
        var answers: [PivotDirective] = []
        /// Of writes whose clients have to find everything told when they are answered.
        var lateAnswers: [PivotDirective] = []
    }

    private mutating func finish(
        _ step: PivotStep, using random: inout some RandomNumberGenerator
    ) -> Step<PivotCommit, PivotDirective> {
        let openedEpoch = openEpoch(firstPosition: step.entries[0].position, using: &random)
        let changes = step.states.changes
        let stateDigest = base.settleDigest(changes, primitives)
        record.clock = max(record.clock, writer?.clock.last ?? .zero)
        record.pivotMilliseconds = step.milliseconds
        var commit = BaseCommit(&base, changes, step.changes, step.entries)
        let place = place
        let checkpoint = Checkpoint(
            space: base.space, epoch: place.epoch, position: place.position, firstPosition: base.firstPosition,
            pivotMilliseconds: step.milliseconds, greatestStamp: base.greatestStamp,
            stateDigest: stateDigest, logRoot: place.logRoot)
        commit.checkpoint = checkpoint
        return Step(
            commit: PivotCommit(base: commit, record: record, openedEpoch: openedEpoch),
            directives: step.answers + [.publish(checkpoint, paths: commit.states.map(\.path))] + step.lateAnswers)
    }

    private mutating func openEpoch(
        firstPosition: UInt64, using random: inout some RandomNumberGenerator
    ) -> PivotRecord.EpochStart? {
        guard !isEpochOpen else { return nil }
        isEpochOpen = true
        let number = (record.epochs.last?.epoch.number ?? 0) + 1
        let start = PivotRecord.EpochStart(epoch: Epoch(number: number, random: random.next()), firstPosition: firstPosition)
        record.epochs.append(start)
        return start
    }

    private var isEpochOpen = false

    // MARK: Own writes

    private mutating func write(
        _ requests: [WriteRequest], _ step: inout PivotStep, wallMilliseconds: UInt64,
        using random: inout some RandomNumberGenerator
    ) {
        var writer =
            writer
            ?? Writer(
                replica: ReplicaID(author: signer.author, incarnation: random.next()), nextSequence: 1,
                clock: HybridClock(last: record.clock), primitives)
        writer.clock.observe(record.clock)
        var operations: [PendingOperation] = []
        var accepted: [(request: WriteRequest, written: Written)] = []
        // What later writes of this step see where a path comes again, which is rare; the real effects carry hashes, which
        // exist once the delta is sealed.
        var paths = requests.compactMap(\.path)
        for case .deleteAll(let many) in requests.lazy.map(\.action) { paths += many }
        var view = Set(paths).count < paths.count ? step.states : nil
        for request in requests {
            do throws(WriteFailure) {
                try checkScope(request)
                guard base.hasCaps else { throw .clockExhausted }
                let composed: [PendingOperation]
                if case .deleteAll(let many) = request.action {
                    let states = view ?? step.states
                    composed = try writer.deleteAll(many, wallMilliseconds: wallMilliseconds) { (states[$0], []) }
                } else {
                    composed = try writer.compose(
                        request.action, state: request.path.flatMap { (view ?? step.states)[$0] },
                        wallMilliseconds: wallMilliseconds, limits: base.records.settings.limits)
                }
                if let last = composed.last {
                    // Only a pushed path is not loaded: it is new.
                    if case .push = request.action {
                        step.states.load(last.path, nil)
                        view?.load(last.path, nil)
                    }
                    accepted.append((request, Written(path: last.path, stamp: last.stamp)))
                }
                operations += composed
                for operation in composed {
                    view?.apply(operation.provisionalEffect(of: writer.replica), at: operation.path)
                }
            } catch {
                step.answers.append(.answerWrite(token: request.token, .failure(error)))
            }
        }
        self.writer = writer
        seal(operations, by: writer.replica, &step)
        for (request, written) in accepted {
            let answer = PivotDirective.answerWrite(token: request.token, .success(written))
            if case .deleteAll = request.action { step.lateAnswers.append(answer) } else { step.answers.append(answer) }
        }
    }

    private func checkScope(_ request: WriteRequest) throws(WriteFailure) {
        switch request.action {
        case .record: return
        case .set(let path, _), .patch(let path, _, _), .delete(let path):
            guard base.records.contains(path) else { throw .outsideSpace }
        case .deleteAll(let paths):
            guard paths.allSatisfy(base.records.contains) else { throw .outsideSpace }
        case .push(let base, _):
            guard let example = Path("\(base)/0") else { throw .tooLongPath }
            guard self.base.records.contains(example) else { throw .outsideSpace }
        }
    }

    private mutating func seal(_ operations: [PendingOperation], by replica: ReplicaID, _ step: inout PivotStep) {
        var remaining = operations[...]
        while !remaining.isEmpty {
            let part = remaining.prefix(Sealing.prefixLength(of: remaining))
            remaining = remaining.dropFirst(part.count)
            let delta = Sealing.seal(
                part, of: replica, in: base.space, after: base.versionVector[replica].headerHash, with: signer, primitives)
            append(delta, refusals: [], &step)
        }
    }

    // MARK: Pushes

    private mutating func accept(_ push: PivotPush, _ facts: PivotFacts, _ step: inout PivotStep) -> PushOutcome {
        guard let replica = push.deltas.first?.header.replica else {
            return PushOutcome(verdict: .malformed, head: .none, detail: "a push carries a delta at least")
        }
        var refused: [String] = []
        var ahead: UInt64 = 0
        func outcome(_ verdict: Answer.Verdict, _ detail: String = "") -> PushOutcome {
            PushOutcome(
                verdict: verdict, head: base.versionVector[replica], detail: detail, refusals: refused, aheadMilliseconds: ahead)
        }
        guard
            record.contains(
                push.cursor, end: base.position, checkpoint: facts.checkpoints[push.cursor.position], horizon: facts.horizon)
        else {
            return outcome(.refill, "this log does not contain the cursor \(push.cursor)")
        }
        let isOwn = push.isFromBundle && replica.author == signer.author
        for delta in push.deltas {
            let header = delta.header
            guard base.hasCaps else { return outcome(.malformed, WriteFailure.clockExhausted.rawValue) }
            guard header.space == base.space else { return outcome(.wrongSpace, "a delta of space \(header.space)") }
            guard header.replica == replica else { return outcome(.malformed, "deltas of two replicas in one push") }
            // What this process writes has dots of its own, which nothing else may use up.
            if isOwn, replica == writer?.replica { return outcome(.head, "the pivot writes under that incarnation itself") }
            guard isOwn || isMember(replica.author) else {
                return outcome(.notAMember, "\(replica.author) is not a member")
            }
            guard delta.verified.isWhole else { return outcome(.malformed, "a pushed delta shows all its operations") }
            guard delta.verified.sealed.bytes.count <= Limits.hardMaximumDeltaBytes else {
                return outcome(.malformed, "too large")
            }
            let head = base.versionVector[replica]
            guard head.sequence + 1 == header.firstSequence, head.headerHash == header.previous else { return outcome(.head) }
            guard base.coversObserved(of: header) else {
                return outcome(.dependency, "an operation observes what this pivot has not seen")
            }
            let refusals = refusals(of: delta, isOwn: isOwn)
            let cap = append(delta, refusals: refusals, &step)
            refused += refusals.map(\.reason)
            let stamp = delta.greatestStamp ?? .zero
            if stamp > cap { ahead = max(ahead, stamp.milliseconds - cap.milliseconds) }
        }
        return outcome(.accepted)
    }

    private func isMember(_ author: AuthorID) -> Bool { base.records.members[author].map { !$0.isRevoked } ?? false }

    /// Whatever is wrong with one operation refuses that operation only.
    ///
    /// - Parameter isOwn: whether the pivot signed it, which needs no grants and writes the space's own records as well.
    private func refusals(of delta: IncomingDelta, isOwn: Bool) -> [Refusal] {
        var refusals = delta.malformed
        let author = delta.header.replica.author
        for (index, operation) in delta.operations.enumerated() {
            guard let operation, !(isOwn && operation.path.isReserved) else { continue }
            if !base.records.contains(operation.path) {
                refusals.append(Refusal(index: index, reason: WriteFailure.outsideSpace.rawValue))
            } else if !isOwn, !base.records.mayWrite(author, operation.path) {
                refusals.append(Refusal(index: index, reason: WriteFailure.forbidden.rawValue))
            } else if operation.value?.count ?? 0 > base.records.settings.limits.valueBytes {
                refusals.append(Refusal(index: index, reason: WriteFailure.tooLarge.rawValue))
            }
        }
        return refusals.sorted { $0.index < $1.index }
    }

    /// - Returns: the cap on its stamps.
    @discardableResult
    private mutating func append(
        _ delta: IncomingDelta, refusals: [Refusal], _ step: inout PivotStep
    ) -> HybridTimestamp {
        let delta = refusals.isEmpty ? delta : delta.hiding(refusals, primitives)
        let cap = base.nextCap(pivotMilliseconds: step.milliseconds)
        let leaf = LogEntry.leaf(headerHash: delta.verified.headerHash, cap: cap, refusals: refusals, primitives)
        base.apply(delta, refusals: refusals, cap: cap, leaf: leaf, to: &step.states, &step.changes, primitives)
        step.entries.append(AppendedEntry(delta, refusals: refusals, cap: cap, position: base.position))
        observeStamps(of: delta, cap: cap)
        return cap
    }

    private mutating func observeStamps(of delta: IncomingDelta, cap: HybridTimestamp) {
        if let stamp = delta.greatestStamp { record.clock = max(record.clock, min(stamp, cap)) }
    }
}

extension AppendedEntry {
    init(_ delta: IncomingDelta, refusals: [Refusal], cap: HybridTimestamp, position: UInt64) {
        let entry = LogEntry(body: .delta(delta.verified.sealed), cap: cap, refusals: refusals)
        self.init(
            position: position, bytes: entry.encoded,
            link: ChainLink(
                replica: delta.header.replica, firstSequence: delta.header.firstSequence,
                lastSequence: delta.header.lastSequence, headerHash: delta.verified.headerHash, position: position))
    }
}

extension IncomingDelta {
    /// Of the operations that it shows.
    var greatestStamp: HybridTimestamp? {
        guard let last = operations.last(where: { $0 != nil }) ?? nil else { return nil }
        return HybridTimestamp(rawValue: header.stamp.rawValue + last.stampOffset)
    }

    /// The same delta with the refused operations hidden, as it goes into the log.
    func hiding(_ refusals: [Refusal], _ primitives: any Primitives) -> IncomingDelta {
        let hidden = Set(refusals.map(\.index))
        return IncomingDelta(verified.pruned(keeping: { !hidden.contains($0) }, primitives))
    }
}
