import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalStorage
import GimbalWire
import Synchronization

/// What a node's replication client has to do for it.
public enum NodeCommand: Sendable {
    /// Send this and deliver the answer, or that none came, to the push of this number.
    case push(PushRequest, number: UInt64)
    /// Follow the log from the cursor, anew.
    case follow(withOwnBodies: Bool)
    /// Ask for the log's end and deliver it.
    case investigate
    case fault(NodeFault)
    case faultCleared
}

/// A space that this process follows: runs a `NodeCore` on the writer's thread, and carries out its directives in their order.
public final class NodeSpace: SpaceStore {
    public let space: SpaceID
    public let engine: any StorageEngine
    /// For the one replication client of this space.
    public let commands: AsyncStream<NodeCommand>
    let signer: any Signer
    let primitives = SodiumPrimitives()
    let commandSink: AsyncStream<NodeCommand>.Continuation
    private let clock: SystemClock
    let cache: StateCache
    private let census = SiblingCensus()
    /// What this node knows of its pivot's clock.
    public let pivotClock: PivotClock
    private let loop = BatchLoop<Job>()
    let stepper: Mutex<Stepper<NodeDisk>>
    let published: Mutex<Published>
    let options: SpaceOptions
    let retention: Retention
    let keeper: StorageKeeper
    let watcher: (any SpaceWatcher)?
    let proofs: ProofCheck
    let replaceListeners = Mutex<[@Sendable () -> Void]>([])
    private let listeners = Mutex<[@Sendable ([Path]) -> Void]>([])

    /// What other threads see of the core, as of the last commit.
    struct Published {
        var cursor: Cursor
        var replica: ReplicaID
        var records: SpaceRecords
        var isReady: Bool
        var outboxCount: UInt64
        var fault: NodeFault?
        /// How the connection to the pivot stands, while nothing reaches the core.
        var connection = ConnectionStanding()
        /// Its outbox was sealed: what would still be written nobody would ever see.
        var isLeft = false
        /// It may be about to be left: nothing of it is served until its pivot was asked.
        var isHeld = false
        var checkpoint: SignedPayload?
        var firstPosition: UInt64
        /// A snapshot that is coming in.
        var intake: IntakeStatus?
        /// Called once the base is at a position, in the epoch.
        var waiters: [(place: Cursor, reached: @Sendable () -> Void)] = []
    }

    enum Job: Sendable {
        case write(WriteRequest.Action, @Sendable (Result<Written, WriteFailure>) -> Void)
        case input(NodeInput, @Sendable () -> Void)
        /// Try to have the storage take writes again.
        case recover(@Sendable (Bool) -> Void)

        /// What concerns everything pending, and what is a whole commit already.
        var isStepOfItsOwn: Bool {
            switch self {
            case .write(.deleteAll, _): true
            case .write, .recover: false
            case .input(let input, _): input.isStepOfItsOwn
            }
        }
    }

    /// Opens the node's copy of a space in its storage, or begins an empty one there.
    public init(
        space: SpaceID, engine: any StorageEngine, signer: any Signer, options: SpaceOptions = SpaceOptions()
    ) throws(StoreError) {
        try SpaceLoader.prepare(engine, for: space)
        let loader = SpaceLoader(view: engine)
        var random = SodiumRandom()
        let (base, stored) = try loader.base(space)
        var journal = stored
        let storedRecord = try loader.nodeRecord()
        var record = storedRecord ?? NodeRecord(incarnation: random.next())
        record.author = try loader.author(of: record) ?? signer.author
        let core = NodeCore(
            base: base, record: record, chain: try loader.sealedLinks(), signer: signer, primitives: primitives)
        let storedAuthor = try loader.storedAuthor()
        if storedRecord == nil || storedAuthor == nil {
            // The incarnation is on disk before the first dot of it can be, and whose it is.
            var commit = NodeCommit(record: core.record)
            commit.isIncarnationNew = true
            let batch = CommitRecord.batch(commit, core.base, &journal)
            try storing { () throws(StorageError) in try engine.commit(batch) }
        }
        self.space = space
        self.engine = engine
        self.signer = signer
        clock = SystemClock(wallOffsetMilliseconds: options.wallOffsetMilliseconds)
        cache = StateCache(byteLimit: options.cacheBytes)
        pivotClock = PivotClock(clock)
        self.options = options
        let retention = try Retention(engine: engine, options: options.retention)
        self.retention = retention
        // What a crash right after an install left there.
        if try SnapshotProgress.load(engine) == nil { retention.releaseStaging() }
        proofs = try ProofCheck(engine: engine)
        watcher = options.watcher(space)
        keeper = StorageKeeper(watcher)
        let disk = NodeDisk(
            engine, journal: journal, watcher: watcher, census: census, retention: retention, keeper: keeper)
        stepper = Mutex(Stepper(core, on: disk))
        published = Mutex(
            Published(
                cursor: core.cursor, replica: core.replica, records: core.base.records, isReady: core.record.isReady,
                outboxCount: core.outboxCount, fault: nil, checkpoint: core.record.checkpoint,
                firstPosition: core.base.firstPosition))
        (commands, commandSink) = AsyncStream.makeStream()
        loop.start(name: "gimbal-node") { [unowned self] jobs in process(jobs) }
        keeper.start(engine) { [weak self] done in self?.loop.submit(.recover(done)) ?? false }
        retention.start(
            failed: { [keeper] in keeper.noticed($0) },
            { [weak self] in
                self?.published.withLock { Retention.Situation(end: $0.cursor.position, firstPosition: $0.firstPosition) }
            })
        proofs.start()
    }

    // MARK: SpaceStore

    public var isReady: Bool { published.withLock { $0.isReady && !$0.isHeld } }

    public func contains(_ path: Path) -> Bool { published.withLock { $0.records.contains(path) } }

    public func submit(
        _ action: WriteRequest.Action, completion: @escaping @Sendable (Result<Written, WriteFailure>) -> Void
    ) {
        if !loop.submit(.write(action, completion)) { completion(.failure(.closed)) }
    }

    public func state(_ path: Path) throws(StoreError) -> PathState? { try reading.state(path) }

    public func scan(_ pattern: Pattern, after: Path?, _ visit: (VisibleEntry) -> Bool) throws(StoreError) {
        try reading.scan(pattern, after: after, visit)
    }

    public func scanKeys(
        _ pattern: Pattern, after: Path?, _ visit: (_ path: Path, _ created: HybridTimestamp) -> Bool
    ) throws(StoreError) {
        try reading.scanKeys(pattern, after: after, visit)
    }

    public func walk(_ pattern: Pattern) throws(StoreError) -> KeyWalk { try KeyWalk(pattern, in: engine, hasOverlays: true) }

    public func explain(_ path: Path, depth: UInt64) throws(StoreError) -> Explanation {
        try Explainer(engine: engine).explain(path, try state(path), depth: depth)
    }

    private var reading: SpaceReading { SpaceReading(engine: engine, cache: cache, hasOverlays: true) }

    public func subscribe(_ listener: @escaping @Sendable ([Path]) -> Void) {
        listeners.withLock { $0.append(listener) }
    }

    public var storageFault: NodeFault? { keeper.fault }

    /// Whether what the pivot says could not be kept now.
    public var isStorageFailing: Bool { keeper.failure != nil }

    public func onReplaced(_ listener: @escaping @Sendable () -> Void) {
        replaceListeners.withLock { $0.append(listener) }
    }

    public func close() {
        loop.close()
        keeper.close()
        commandSink.finish()
        retention.close()
        proofs.stop()
        engine.close()
    }

    // MARK: For the replication client

    /// What time it is here.
    public var now: Now { clock.now() }

    /// Tells the node what came from its pivot.
    public func deliver(_ input: NodeInput) { deliver(input) {} }

    func deliver(_ input: NodeInput, done: @escaping @Sendable () -> Void) {
        if !loop.submit(.input(input, done)) { done() }
    }

    /// Applies a verified page; returns when it is on disk, or was refused.
    public func apply(_ page: NodePage) async {
        await withCheckedContinuation { continuation in
            apply(page) { continuation.resume() }
        }
    }

    /// Applies verified pages in the order of the calls; those that wait together become one commit. `done` is called when the
    /// page is on disk, or was refused.
    public func apply(_ page: NodePage, done: @escaping @Sendable () -> Void) { deliver(.page(page), done: done) }

    /// Seals everything in the outbox, so that it can be proven elsewhere; for a pivot change, when nothing is sent any more.
    /// From here on no write is taken, unless the node `stays`.
    public func sealOutbox() async throws(StoreError) {
        published.withLock { $0.isLeft = true }
        await withCheckedContinuation { continuation in
            deliver(.sealOutbox) { continuation.resume() }
        }
        let (core, isStale) = stepper.withLock { ($0.machine, $0.isStale) }
        guard !isStale, core.sealedThrough + 1 >= core.record.nextSequence else {
            throw .storage(.failed(reason: "the outbox could not be sealed"))
        }
    }

    /// The root's word for the pivot, as it was last fetched.
    public var certificate: SignedPayload? {
        get throws(StoreError) {
            let stored = try storing { () throws(StorageError) in
                try engine.load([RecordKey.certificate], from: .metadata)[0]
            }
            return try stored.map { bytes throws(StoreError) in
                try decoding("certificate") { () throws(WireError) in try SignedPayload(decoding: bytes) }
            }
        }
    }

    /// Keeps the certificate for verifications without the pivot.
    public func remember(certificate: SignedPayload) {
        // What cannot be read, or is damaged, is written again.
        if let stored = try? self.certificate, stored == certificate { return }
        var batch = StorageBatch()
        batch.put(certificate.encoded, at: RecordKey.certificate, in: .metadata)
        // Without it on disk it is fetched again after the next start.
        try? engine.commit(batch)
    }

    public var cursor: Cursor { published.withLock { $0.cursor } }
    /// Whose deltas come as receipts.
    public var replica: ReplicaID { published.withLock { $0.replica } }
    public var author: AuthorID { signer.author }
    public var records: SpaceRecords { published.withLock { $0.records } }
    /// A snapshot that is coming in; nil when none is.
    public var intake: IntakeStatus? { published.withLock { $0.intake } }

    func show(intake: IntakeStatus?) { published.withLock { $0.intake = intake } }

    /// Operations of this node that are not known to be in the log.
    public var outboxCount: UInt64 { published.withLock { $0.outboxCount } }

    /// The pivot's signature under the checkpoint at the cursor.
    public var checkpoint: SignedPayload? { published.withLock { $0.checkpoint } }

    public var statistics: [String: UInt64] { engine.statisticsByName }

    /// Keys with concurrent writes in the base; nil until they are counted, which the first call begins.
    public var siblingCount: Int? { census.count(in: engine) }

    // MARK: The writer's thread

    /// What concerns everything pending is a step of its own: it sees what all writes before it left on disk.
    private func process(_ jobs: ArraySlice<Job>) {
        var rest = jobs
        while let failure = keeper.failure, let job = rest.popFirst() { refuse(job, failure) }
        while let index = rest.firstIndex(where: \.isStepOfItsOwn) {
            commit(rest[..<index])
            commit(rest[index...index])
            rest = rest[(index + 1)...]
        }
        commit(rest)
    }

    private func commit(_ jobs: ArraySlice<Job>) {
        guard !jobs.isEmpty else { return }
        var inputs: [NodeInput] = []
        var completions: [@Sendable (Result<Written, WriteFailure>) -> Void] = []
        var doneHandlers: [@Sendable () -> Void] = []
        let isLeft = published.withLock { $0.isLeft || $0.isHeld }
        for job in jobs {
            switch job {
            case .write(_, let completion) where isLeft: completion(.failure(.notReady))
            case .write(let action, let completion):
                inputs.append(.write(WriteRequest(token: UInt64(completions.count), action: action)))
                completions.append(completion)
            case .input(let input, let done):
                inputs.append(input)
                doneHandlers.append(done)
            case .recover(let done): done(true)
            }
        }
        defer { for done in doneHandlers { done() } }
        do throws(StoreError) {
            let step = try stepper.withLock { stepper throws(StoreError) in
                var random = SodiumRandom()
                return try stepper.run(inputs, now: clock.now(), using: &random)
            }
            if let commit = step.commit { publish(commit) }
            execute(step.directives, completions)
        } catch {
            keeper.noticed(error)
            let failure = WriteFailure(error)
            for completion in completions { completion(.failure(failure)) }
            guard !doneHandlers.isEmpty else { return }
            // What came from the network is not lost: it is asked for again once everything was read anew, and not before. The
            // stream that brought it is cut.
            keeper.met(error)
            commandSink.yield(.follow(withOwnBodies: false))
        }
    }

    private func execute(
        _ directives: [NodeDirective], _ completions: [@Sendable (Result<Written, WriteFailure>) -> Void]
    ) {
        for directive in directives {
            switch directive {
            case .answerWrite(let token, let result): completions[Int(token)](result)
            case .publish(let paths): for listener in listeners.withLock({ $0 }) { listener(paths) }
            case .replaced: for listener in replaceListeners.withLock({ $0 }) { listener() }
            case .advanced(let cursor): wake(cursor)
            case .seal: deliver(.seal)
            case .reissue: deliver(.reissue)
            case .push(let number, let cursor, let firstSequences): push(number, cursor, firstSequences)
            case .follow(let withOwnBodies): commandSink.yield(.follow(withOwnBodies: withOwnBodies))
            case .investigate: commandSink.yield(.investigate)
            case .fault(let fault):
                published.withLock { $0.fault = fault }
                commandSink.yield(.fault(fault))
            case .faultCleared:
                published.withLock { $0.fault = nil }
                commandSink.yield(.faultCleared)
            }
        }
    }

    /// The commit is on disk; from here on others see it.
    private func publish(_ commit: NodeCommit) {
        let core = stepper.withLock { $0.machine }
        if commit.installedEntries != nil { cache.removeAll() }
        showInCache(commit)
        show(core)
    }

    func show(_ core: NodeCore) {
        published.withLock { state in
            state.replica = core.replica
            state.records = core.base.records
            state.isReady = core.record.isReady
            state.outboxCount = core.outboxCount
            state.cursor = core.cursor
            state.checkpoint = core.record.checkpoint
            state.firstPosition = core.base.firstPosition
        }
    }

    /// Clients see an overlay's view where there is one. What lies below an overlay that went is read again.
    private func showInCache(_ commit: NodeCommit) {
        let overlays = Dictionary(commit.overlays.map { ($0.path, $0.overlay) }, uniquingKeysWith: { $1 })
        let bases = Dictionary((commit.base?.states ?? []).map { ($0.path, $0.state) }, uniquingKeysWith: { $1 })
        for path in Set(overlays.keys).union(bases.keys) {
            if case .some(.some(let overlay)) = overlays[path] {
                cache.update(path, .some(overlay.view))
            } else {
                cache.update(path, bases[path])
            }
        }
    }

    private func push(_ number: UInt64, _ cursor: Cursor, _ firstSequences: [UInt64]) {
        do throws(StoreError) {
            let deltas = try stepper.withLock { stepper throws(StoreError) in try stepper.disk.sealedDeltas(firstSequences) }
            commandSink.yield(.push(PushRequest(cursor: cursor, deltas: deltas), number: number))
        } catch {
            deliver(.pushBlocked(.local(code: error.code, detail: "the outbox cannot be read: \(error)")))
            // Its answer would never come: everything is read anew, and pushed again after that.
            keeper.met(error)
        }
    }
}
