import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalStorage
import GimbalWire
import Synchronization

/// A space that this process leads: runs a `PivotCore` on the writer's thread, and carries out its directives in their order.
public final class PivotSpace: SpaceStore {
    public let space: SpaceID
    /// The root key's word for this pivot, as every node gets it.
    public let certificate: SignedPayload
    let engine: any StorageEngine
    let log: LogReader
    private let signer: any Signer
    private let primitives = SodiumPrimitives()
    private let clock: SystemClock
    private let cache: StateCache
    private let sharedPages = SharedPages()
    private let watcher: (any SpaceWatcher)?
    private let census = SiblingCensus()
    private let loop = BatchLoop<Job>()
    /// The writer's thread holds it through each step, commit included: nobody else waits for it.
    private let stepper: Mutex<Stepper<PivotDisk>>
    private let published: Mutex<Published>
    private let listeners = Mutex<[@Sendable ([Path]) -> Void]>([])
    private let replaceListeners = Mutex<[@Sendable () -> Void]>([])
    let keeper: StorageKeeper
    let options: SpaceOptions
    let retention: Retention
    let followers: FollowerTable
    let shelf: SnapshotShelf

    /// What other threads see of the core, as of the last commit.
    private struct Published {
        var place: Cursor
        var checkpoint: Checkpoint?
        var signedCheckpoint: (position: UInt64, bytes: [UInt8])?
        var records: SpaceRecords
        var record: PivotRecord
        /// Of the log tree's first leaf.
        var firstPosition: UInt64
        var advanceListeners: [UInt64: @Sendable (Cursor) -> Void] = [:]
        var nextListener: UInt64 = 0
    }

    enum Job: Sendable {
        case write(WriteRequest.Action, @Sendable (Result<Written, WriteFailure>) -> Void)
        case push(PivotPush, @Sendable (Result<PushOutcome, WriteFailure>) -> Void)

        /// Try to have the storage take writes again.
        case recover(@Sendable (Bool) -> Void)

        /// What is a whole commit already.
        var isStepOfItsOwn: Bool { if case .write(.deleteAll, _) = self { true } else { false } }
    }

    /// Opens the space in its storage, founding it there if it is empty.
    public init(
        space: SpaceID, engine: any StorageEngine, signer: any Signer, certificate: SignedPayload,
        options: SpaceOptions = SpaceOptions()
    ) throws(StoreError) {
        try SpaceLoader.prepare(engine, for: space)
        let loader = SpaceLoader(view: engine)
        let (base, journal) = try loader.base(space)
        let record = try loader.pivotRecord()
        let core = PivotCore(base: base, record: record, signer: signer, primitives: primitives)
        self.space = space
        self.engine = engine
        self.signer = signer
        self.certificate = certificate
        self.options = options
        retention = try Retention(engine: engine, options: options.retention)
        followers = try FollowerTable(engine)
        shelf = SnapshotShelf(keptMilliseconds: options.retention.snapshotMilliseconds)
        clock = SystemClock(wallOffsetMilliseconds: options.wallOffsetMilliseconds)
        cache = StateCache(byteLimit: options.cacheBytes)
        watcher = options.watcher(space)
        keeper = StorageKeeper(watcher)
        log = LogReader(engine: engine)
        let last = try log.checkpoint(at: base.position)
        published = Mutex(
            Published(
                place: core.place, checkpoint: last, records: base.records, record: record, firstPosition: base.firstPosition))
        let disk = PivotDisk(
            engine, journal: journal, reading: SpaceReading(engine: engine, cache: cache, hasOverlays: false),
            retention: retention, watcher: watcher, census: census, keeper: keeper)
        stepper = Mutex(Stepper(core, on: disk))
        loop.start(name: "gimbal-pivot") { [unowned self] jobs in process(jobs) }
        keeper.start(engine) { [weak self] done in self?.loop.submit(.recover(done)) ?? false }
        startRetention()
    }

    // MARK: SpaceStore

    public var isReady: Bool { true }

    public func contains(_ path: Path) -> Bool { published.withLock { $0.records.contains(path) } }

    public func submit(
        _ action: WriteRequest.Action, completion: @escaping @Sendable (Result<Written, WriteFailure>) -> Void
    ) {
        // Many submit at once and one writes: what must come from the disk is fetched here. The writer reports what fails.
        if let path = action.path { _ = try? reading.state(path) }
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

    public func walk(_ pattern: Pattern) throws(StoreError) -> KeyWalk { try KeyWalk(pattern, in: engine, hasOverlays: false) }

    public func explain(_ path: Path, depth: UInt64) throws(StoreError) -> Explanation {
        try Explainer(engine: engine).explain(path, try state(path), depth: depth)
    }

    private var reading: SpaceReading { SpaceReading(engine: engine, cache: cache, hasOverlays: false) }

    public func subscribe(_ listener: @escaping @Sendable ([Path]) -> Void) {
        listeners.withLock { $0.append(listener) }
    }

    public func onReplaced(_ listener: @escaping @Sendable () -> Void) {
        replaceListeners.withLock { $0.append(listener) }
    }

    public var storageFault: NodeFault? { keeper.fault }

    public func close() {
        loop.close()
        keeper.close()
        retention.close()
        shelf.removeAll()
        engine.close()
    }

    // MARK: What nodes ask for

    public var records: SpaceRecords { published.withLock { $0.records } }
    public var place: Cursor { published.withLock { $0.place } }
    public var author: AuthorID { signer.author }

    /// Takes a push whose deltas are verified. `completion` is called when it is on disk, or refused.
    public func push(
        _ cursor: Cursor, _ deltas: [IncomingDelta], isFromBundle: Bool = false,
        completion: @escaping @Sendable (Result<PushOutcome, WriteFailure>) -> Void
    ) {
        let push = PivotPush(token: 0, cursor: cursor, deltas: deltas, isFromBundle: isFromBundle)
        if !loop.submit(.push(push, completion)) { completion(.failure(.closed)) }
    }

    /// How far the log has a replica's deltas.
    public func head(of replica: ReplicaID) throws(StoreError) -> Head {
        try SpaceLoader(view: engine).head(of: replica)
    }

    /// Whether a node at this cursor can be served from the log.
    public func contains(_ cursor: Cursor) throws(StoreError) -> Bool {
        let checkpoint = try log.checkpoint(at: cursor.position)
        let (record, end) = published.withLock { ($0.record, $0.place.position) }
        return record.contains(cursor, end: end, checkpoint: checkpoint, horizon: retention.horizon)
    }

    /// Of the log tree's first leaf.
    var firstPosition: UInt64 { published.withLock { $0.firstPosition } }

    var wallMilliseconds: UInt64 { clock.now().wallMilliseconds }
    var steadyMilliseconds: UInt64 { clock.now().steadyMilliseconds }

    /// The next page after a position; nil when there is nothing after it. Own deltas of `replica` come as receipts.
    public func page(after position: UInt64, receiptsFor replica: ReplicaID?) throws(StoreError) -> (bytes: [UInt8], end: UInt64)?
    {
        if let shared = sharedPages.page(after: position, for: replica) { return shared }
        guard let stretch = try log.stretch(after: position, receiptsFor: replica, primitives) else { return nil }
        let checkpoint = signedCheckpoint(stretch.checkpoint)
        let bytes = Page.encode(after: position, entries: stretch.entries, checkpoint: checkpoint)
        sharedPages.add(stretch, after: position, bytes)
        return (bytes, stretch.checkpoint.position)
    }

    /// Signed once and shared by all who follow the log's end.
    func signedCheckpoint(_ checkpoint: Checkpoint) -> [UInt8] {
        if let known = published.withLock({ $0.signedCheckpoint }), known.position == checkpoint.position {
            return known.bytes
        }
        let bytes = SignedPayload(signing: checkpoint.encoded, with: signer).encoded
        published.withLock { state in
            if checkpoint.position >= state.signedCheckpoint?.position ?? 0 {
                state.signedCheckpoint = (checkpoint.position, bytes)
            }
        }
        return bytes
    }

    /// The latest checkpoint, signed; nil while the log is empty.
    public var latestCheckpoint: SignedPayload? {
        guard let checkpoint = published.withLock({ $0.checkpoint }) else { return nil }
        return try? SignedPayload(decoding: signedCheckpoint(checkpoint))
    }

    /// An answer to one request, signed over its nonce.
    public func answer(_ verdict: Answer.Verdict, to nonce: [UInt8], head: Head = .none, detail: String = "") -> SignedPayload {
        let (place, stored) = published.withLock { ($0.place, $0.record.pivotMilliseconds) }
        let answer = Answer(
            space: space, nonce: nonce, verdict: verdict, head: head, place: place,
            pivotMilliseconds: max(stored, clock.now().wallMilliseconds), detail: detail)
        return SignedPayload(signing: answer.encoded, with: signer)
    }

    public var statistics: [String: UInt64] { engine.statisticsByName }

    /// Keys with concurrent writes; nil until they are counted, which the first call begins.
    public var siblingCount: Int? { census.count(in: engine) }

    /// Calls `listener` after each commit, from the writer's thread, until the returned closure is called.
    public func onAdvance(_ listener: @escaping @Sendable (Cursor) -> Void) -> @Sendable () -> Void {
        let id = published.withLock { state in
            state.nextListener += 1
            state.advanceListeners[state.nextListener] = listener
            return state.nextListener
        }
        return { [weak self] in
            _ = self?.published.withLock { $0.advanceListeners.removeValue(forKey: id) }
        }
    }

    // MARK: The writer's thread

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

    /// While no write is taken.
    private func refuse(_ job: Job, _ failure: StorageError) {
        switch job {
        case .write(_, let completion):
            watcher?.commitFailed(failure.code)
            completion(.failure(WriteFailure(failure)))
        case .push(_, let completion): completion(.failure(WriteFailure(failure)))
        case .recover(let done): done(recover())
        }
    }

    private func commit(_ jobs: ArraySlice<Job>) {
        guard !jobs.isEmpty else { return }
        var inputs: [PivotInput] = []
        var writeCompletions: [@Sendable (Result<Written, WriteFailure>) -> Void] = []
        var pushCompletions: [@Sendable (Result<PushOutcome, WriteFailure>) -> Void] = []
        for job in jobs {
            switch job {
            case .write(let action, let completion):
                inputs.append(.write(WriteRequest(token: UInt64(writeCompletions.count), action: action)))
                writeCompletions.append(completion)
            case .push(var push, let completion):
                push.token = UInt64(pushCompletions.count)
                inputs.append(.push(push))
                pushCompletions.append(completion)
            case .recover(let done): done(true)
            }
        }
        do throws(StoreError) {
            let directives = try step(inputs)
            execute(directives, writeCompletions, pushCompletions)
        } catch {
            keeper.noticed(error)
            let failure = WriteFailure(error)
            for completion in writeCompletions { completion(.failure(failure)) }
            for completion in pushCompletions { completion(.failure(failure)) }
        }
    }

    /// Steps, and shows others what the commit made of the space.
    private func step(_ inputs: [PivotInput]) throws(StoreError) -> [PivotDirective] {
        let now = clock.now()
        let (step, base) = try stepper.withLock { stepper throws(StoreError) in
            var random = SodiumRandom()
            let step = try stepper.run(inputs, now: now, using: &random)
            return (step, step.commit.map { _ in stepper.machine.base })
        }
        guard let commit = step.commit, let base else { return step.directives }
        for (path, state) in commit.base.states { cache.update(path, .some(state)) }
        published.withLock { state in
            state.records = base.records
            state.record = commit.record
            state.firstPosition = base.firstPosition
            if let checkpoint = commit.base.checkpoint {
                state.checkpoint = checkpoint
                state.place = checkpoint.cursor
            }
        }
        return step.directives
    }

    private func execute(
        _ directives: [PivotDirective], _ writes: [@Sendable (Result<Written, WriteFailure>) -> Void],
        _ pushes: [@Sendable (Result<PushOutcome, WriteFailure>) -> Void]
    ) {
        for directive in directives {
            switch directive {
            case .answerWrite(let token, let result): writes[Int(token)](result)
            case .answerPush(let token, let outcome): pushes[Int(token)](.success(outcome))
            case .publish(let checkpoint, let paths):
                for listener in published.withLock({ Array($0.advanceListeners.values) }) { listener(checkpoint.cursor) }
                for listener in listeners.withLock({ $0 }) { listener(paths) }
            }
        }
    }
}

/// After a write that failed.
extension PivotSpace {
    /// Has the storage opened again and reads everything from it, as a restart would. False while it does not work.
    private func recover() -> Bool {
        do throws(StoreError) {
            try storing { () throws(StorageError) in try engine.recover() }
            try reload()
        } catch {
            keeper.stillFails(error)
            return false
        }
        keeper.works()
        let place = place
        for listener in published.withLock({ Array($0.advanceListeners.values) }) { listener(place) }
        for listener in replaceListeners.withLock({ $0 }) { listener() }
        return true
    }

    private func reload() throws(StoreError) {
        let fresh = try stepper.withLock { stepper throws(StoreError) in
            try stepper.reload()
            return stepper.machine
        }
        let last = try log.checkpoint(at: fresh.base.position)
        // What is sent is read from a view of before.
        shelf.removeAll()
        sharedPages.removeAll()
        cache.removeAll()
        published.withLock { state in
            state.place = fresh.place
            state.checkpoint = last
            state.signedCheckpoint = nil
            state.records = fresh.base.records
            state.record = fresh.record
            state.firstPosition = fresh.base.firstPosition
        }
    }
}

extension WriteFailure {
    init(_ error: StoreError) {
        if case .storage(let storage) = error { self.init(storage) } else { self = .storageFailed }
    }
}
