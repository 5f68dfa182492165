import GimbalCRDT
import GimbalWire

/// A node of one space as a value: inputs in; a commit and directives out.
///
/// Its base is exactly the pivot's state at its cursor, moved by pages of the log alone; its outbox holds what was written
/// here and has no receipt yet; what clients see is the outbox replayed over the base. It knows no clock, dice, disk or
/// network; `Stepper` runs it.
public struct NodeCore: Sendable {
    public internal(set) var base: SpaceBase
    public internal(set) var record: NodeRecord
    /// Sealed deltas without a receipt, in the order of the chain.
    public internal(set) var chain: [SealedLink]
    public internal(set) var fault: NodeFault?
    let signer: any Signer
    let primitives: any Primitives

    var writer: Writer
    /// Everything up to here is at the pivot, says the pivot; the receipts are on their way.
    var offeredThrough: UInt64
    /// Where the log ended when it said so: a pull that reaches it brings the receipts.
    var receiptsExpectedBy: Cursor?
    var push = PushState.idle
    var window = PushWindow()
    /// The last push has this number. An answer that comes late is none to a later push.
    var pushNumber: UInt64 = 0
    /// The node serves once its base is here.
    var readyTarget: Cursor?
    /// Own deltas are pulled with their bodies up to here, because they are in doubt.
    var investigation = Investigation.none
    /// The head that the last investigation was about.
    var investigatedHead: Head?

    enum PushState: Hashable, Sendable {
        case idle
        /// Sent from one sequence up to another, no answer yet; receipts had come up to a third.
        case inFlight(from: UInt64, through: UInt64, receiptsThrough: UInt64, Sent)
        /// The shell was told to step with `.seal`; what is not sealed begins after this sequence.
        case sealing(after: UInt64)
        /// Until a retry, a page or an investigation starts it again.
        case paused
    }

    /// What a push carries.
    struct Sent: Hashable, Sendable {
        var deltas: Int
        var bytes: Int
    }

    enum Investigation: Hashable, Sendable {
        case none
        /// The shell was told to ask for the log's end.
        case asking
        case pulling(until: Cursor)
        /// The shell was told to step with `.reissue`.
        case reissuing
    }

    /// A node as it was stored; `chain` holds the sealed deltas, in order.
    public init(
        base: SpaceBase, record: NodeRecord, chain: [SealedLink], signer: any Signer, primitives: any Primitives
    ) {
        self.base = base
        self.record = record
        self.chain = chain
        self.signer = signer
        self.primitives = primitives
        let replica = ReplicaID(author: record.author ?? signer.author, incarnation: record.incarnation)
        writer = Writer(
            replica: replica, nextSequence: record.nextSequence, clock: HybridClock(last: record.clock), primitives)
        offeredThrough = base.versionVector[replica].sequence
        // Another key signs now: what waits is written again under it, once the log has said what it took under the old one.
        if replica.author != signer.author, !isSpoiled { self.record.spoiledFrom = record.nextSequence }
        // A crash came between the mark and the re-issue: nothing more is sealed under this incarnation.
        if isSpoiled { investigation = .asking }
    }

    /// The node as it is stored now, after a commit whose outcome is not known. Answers to the pushes of before are none to its
    /// own.
    public func reloaded(base: SpaceBase, record: NodeRecord, chain: [SealedLink]) -> NodeCore {
        var fresh = NodeCore(base: base, record: record, chain: chain, signer: signer, primitives: primitives)
        fresh.pushNumber = pushNumber
        return fresh
    }

    public var replica: ReplicaID { writer.replica }

    public var cursor: Cursor {
        base.position == 0
            ? .start : Cursor(epoch: record.epoch, position: base.position, logRoot: base.frontier.root(primitives))
    }

    /// The head that the log proves.
    var receiptHead: Head { base.versionVector[replica] }
    /// Everything up to here is sealed.
    public var sealedThrough: UInt64 { chain.last?.lastSequence ?? receiptHead.sequence }
    /// Whether the log holds operations of another under dots of this outbox.
    public var isSpoiled: Bool { record.spoiledFrom > 0 }
    /// Whether the incarnation is of a key that this node has no more.
    var isOfAnotherKey: Bool { replica.author != signer.author }
    /// Operations whose receipt has not come. What the log holds under the names of spoiled ones is not their receipt.
    public var outboxCount: UInt64 {
        let unacknowledged = receiptHead.sequence + 1
        let first = isSpoiled ? min(record.spoiledFrom, unacknowledged) : unacknowledged
        return writer.nextSequence - min(first, writer.nextSequence)
    }
    /// Whether own deltas have to be pulled with their bodies.
    public var isInvestigating: Bool {
        if case .pulling = investigation { true } else { false }
    }

    public mutating func step(
        _ inputs: [NodeInput], given facts: NodeFacts, now: Now, using random: inout some RandomNumberGenerator
    ) -> Step<NodeCommit, NodeDirective> {
        var step = NodeStep(facts)
        for input in inputs {
            if case .page = input {} else { rebuildOverlays(&step) }
            switch input {
            case .write(let request): write(request, &step, now)
            case .joined(let place): join(place, &step)
            case .page(let page): apply(page, &step)
            case .seal: seal(facts.outbox, &step)
            case .pushAnswered(let answer, let number): if number == pushNumber { settle(answer, &step) }
            case .pushFailed(let number, let isTooLarge): if number == pushNumber { pushFailed(isTooLarge: isTooLarge) }
            case .pushInterrupted: push = .paused
            case .pushBlocked(let fault): pause(fault, &step)
            case .retryPush: if push == .paused { push = .idle }
            case .investigate(let until): investigate(until, &step)
            case .reissue: reissue(facts.outbox, &step, using: &random)
            case .snapshot(let snapshot): install(snapshot, facts.outbox, &step, using: &random)
            case .sealOutbox: sealOutbox(facts.outbox, &step, using: &random)
            }
        }
        rebuildOverlays(&step)
        sealWhatWasWritten(&step)
        continuePush(&step)
        return finish(step)
    }

    /// What accumulates between the inputs and the commit.
    struct NodeStep {
        var states: NodeWorkingSet
        /// This node's own deltas that receipts name, as it sealed them.
        let ownDeltas: [Digest: IncomingDelta]
        var baseChanges = BaseChanges()
        var entries: [AppendedEntry] = []
        var checkpoint: Checkpoint?
        var added: [PendingOperation] = []
        var removedPending: [UInt64] = []
        var addedSealed: [SealedOutboxDelta] = []
        var removedSealed: [UInt64] = []
        var deadLetters: [DeadLetter] = []
        var isRecordChanged = false
        var isIncarnationNew = false
        /// Paths that pages touched and whose overlays are not replayed yet.
        var stale: Set<Path> = []
        /// Own operations that pages acknowledged since the last replay.
        var settled: Set<UInt64> = []
        /// The snapshot that makes the whole base another.
        var installed: StagedSnapshot?
        /// Paths that clients may see differently.
        var published: Set<Path> = []
        var answers: [NodeDirective] = []
        /// Of writes whose clients have to find everything told when they are answered.
        var lateAnswers: [NodeDirective] = []
        var effects: [NodeDirective] = []

        init(_ facts: NodeFacts) {
            states = facts.states
            ownDeltas = facts.ownDeltas
        }

        var isEmpty: Bool {
            entries.isEmpty && added.isEmpty && removedPending.isEmpty && addedSealed.isEmpty && removedSealed.isEmpty
                && deadLetters.isEmpty && checkpoint == nil && !isRecordChanged
        }
    }

    private mutating func finish(_ step: NodeStep) -> Step<NodeCommit, NodeDirective> {
        record.clock = max(record.clock, writer.clock.last)
        record.nextSequence = writer.nextSequence
        var outcome = Step<NodeCommit, NodeDirective>(directives: step.answers)
        if !step.isEmpty {
            var commit = NodeCommit(record: record)
            if let checkpoint = step.checkpoint {
                var baseCommit = BaseCommit(&base, step.states.states.changes, step.baseChanges, step.entries)
                baseCommit.checkpoint = checkpoint
                commit.base = baseCommit
            }
            commit.installedEntries = step.installed?.entries
            commit.overlays = step.states.overlayChanges
            commit.addedPending = step.added
            commit.removedPending = step.removedPending
            commit.addedSealed = step.addedSealed
            commit.removedSealed = step.removedSealed
            commit.deadLetters = step.deadLetters
            commit.isIncarnationNew = step.isIncarnationNew
            outcome.commit = commit
        }
        if step.installed != nil { outcome.directives.append(.replaced) }
        if !step.published.isEmpty { outcome.directives.append(.publish(paths: step.published.sorted())) }
        if step.checkpoint != nil { outcome.directives.append(.advanced(cursor)) }
        outcome.directives += step.lateAnswers
        outcome.directives += step.effects
        return outcome
    }

    mutating func raise(_ fault: NodeFault, _ step: inout NodeStep) {
        guard self.fault != fault else { return }
        self.fault = fault
        step.effects.append(.fault(fault))
    }

    mutating func clearFault(_ step: inout NodeStep) {
        guard fault != nil else { return }
        fault = nil
        step.effects.append(.faultCleared)
    }

    // MARK: Writes

    private mutating func write(_ request: WriteRequest, _ step: inout NodeStep, _ now: Now) {
        do throws(WriteFailure) {
            guard record.isReady else { throw .notReady }
            try checkGrants(request)
            let operations = try compose(request, step.states, now)
            for operation in operations {
                step.states.loadNew(operation.path)
                var overlay =
                    step.states.overlay(operation.path)
                    ?? Overlay(view: step.states.states[operation.path], pending: [], observed: [])
                overlay.append(operation, of: replica)
                step.states.setOverlay(operation.path, overlay)
                step.states.pending[operation.sequence] = operation
                step.added.append(operation)
                step.published.insert(operation.path)
            }
            if let last = operations.last {
                let written = Written(path: last.path, stamp: last.stamp)
                let answer = NodeDirective.answerWrite(token: request.token, .success(written))
                if case .deleteAll = request.action { step.lateAnswers.append(answer) } else { step.answers.append(answer) }
            }
        } catch {
            step.answers.append(.answerWrite(token: request.token, .failure(error)))
        }
    }

    private mutating func compose(
        _ request: WriteRequest, _ states: NodeWorkingSet, _ now: Now
    ) throws(WriteFailure) -> [PendingOperation] {
        if case .deleteAll(let paths) = request.action {
            return try writer.deleteAll(paths, wallMilliseconds: now.wallMilliseconds) {
                (states.view($0), states.overlay($0)?.observed ?? [])
            }
        }
        return try writer.compose(
            request.action, state: request.path.flatMap { states.view($0) },
            alreadyObserved: request.path.flatMap { states.overlay($0)?.observed } ?? [],
            wallMilliseconds: now.wallMilliseconds, limits: base.records.settings.limits)
    }

    private func checkGrants(_ request: WriteRequest) throws(WriteFailure) {
        switch request.action {
        case .record: throw .forbidden
        case .set(let path, _), .patch(let path, _, _), .delete(let path): try checkGrant(path)
        case .deleteAll(let paths): for path in paths { try checkGrant(path) }
        case .push(let base, _):
            guard let example = Path("\(base)/0") else { throw .tooLongPath }
            try checkGrant(example)
        }
    }

    private func checkGrant(_ path: Path) throws(WriteFailure) {
        guard base.records.contains(path) else { throw .outsideSpace }
        guard base.records.mayWrite(signer.author, path) else { throw .forbidden }
    }

    private mutating func join(_ place: Cursor, _ step: inout NodeStep) {
        if !record.isReady { readyTarget = place }
        becomeReady(&step)
        if case .refused = fault { clearFault(&step) }
        window.joined()
        if push == .paused { push = .idle }
        resumeInvestigation(&step)
    }

    mutating func becomeReady(_ step: inout NodeStep) {
        guard !record.isReady, let target = readyTarget, base.position > 0, base.position >= target.position else { return }
        record.isReady = true
        readyTarget = nil
        step.isRecordChanged = true
    }
}
