import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalStorage
import GimbalWire

/// The node's core with what its steps need from storage: loads the paths of the inputs, steps, commits. Used by the
/// writer's thread alone.
struct NodeWriter: Sendable {
    private(set) var core: NodeCore
    private var journal: DigestJournal
    private let engine: any StorageEngine
    private let retention: Retention
    private let primitives = SodiumPrimitives()
    private let watcher: (any SpaceWatcher)?
    private let keeper: StorageKeeper
    private let census: SiblingCensus
    /// Deltas sealed by this process whose receipt has not come, so that they need not be read and verified again.
    private var sealed: [Digest: IncomingDelta] = [:]
    private var visibleChanges: [VisibleChange] = []

    private static let sealedCacheLimit = 1024

    init(
        core: NodeCore, journal: DigestJournal, engine: any StorageEngine, watcher: (any SpaceWatcher)?, census: SiblingCensus,
        retention: Retention, keeper: StorageKeeper
    ) {
        self.keeper = keeper
        self.watcher = watcher
        self.census = census
        self.retention = retention
        self.core = core
        self.journal = journal
        self.engine = engine
    }

    /// Reads everything anew from the storage, as a restart would.
    mutating func reload() throws(StoreError) {
        let loader = SpaceLoader(view: engine)
        let (base, stored) = try loader.base(core.base.space)
        guard let record = try loader.nodeRecord() else {
            throw .damaged(record: "node record", WireError(.truncated, at: 0, "there is none"))
        }
        let fresh = core.reloaded(base: base, record: record, chain: try loader.sealedLinks())
        try retention.reload()
        core = fresh
        journal = stored
        sealed = [:]
        visibleChanges = []
        census.forget()
    }

    /// Steps and commits. When the commit fails the core is what it was before, and takes no step until it is read anew from the
    /// storage: the commit may be on disk, and a dot is never given twice.
    ///
    /// - Parameter snapshotEntries: how many entries a snapshot has that is among the inputs.
    mutating func step(
        _ inputs: [NodeInput], now: Now, snapshotEntries: UInt64 = 0
    ) throws(StoreError) -> [NodeDirective] {
        var inputs = inputs
        for index in inputs.indices {
            switch inputs[index] {
            case .page(var page):
                page.ownDeltas = try ownDeltas(of: page)
                inputs[index] = .page(page)
            case .seal:
                inputs[index] = .seal(try pending(from: core.sealedThrough + 1, byteLimit: Limits.hardMaximumDeltaBytes))
            case .reissue: inputs[index] = .reissue(try everythingPending)
            case .snapshot(let snapshot, _): inputs[index] = .snapshot(snapshot, try everythingPending)
            case .sealOutbox: inputs[index] = .sealOutbox(try everythingPending)
            default: break
            }
        }
        let states = try load(inputs)
        let before = core
        var timer = StepTimer()
        var random = SodiumRandom()
        let directives = core.step(inputs, states: states, now: now, using: &random)
        guard case .commit(let commit) = directives.first else { return directives }
        do throws(StoreError) {
            var next = journal
            let batch = CommitRecord.batch(commit, core.base, &next)
            if commit.isInstallation {
                try install(batch, snapshotEntries)
            } else {
                try timer.storing { () throws(StorageError) in try engine.commit(batch) }
            }
            journal = next
        } catch {
            core = before
            watcher?.commitFailed(error.code)
            keeper.met(error)
            throw error
        }
        watcher?.committed(step: timer.total, storage: timer.storage)
        if !commit.deadLetters.isEmpty { watcher?.refused(commit.deadLetters) }
        if commit.isInstallation { census.forget() }
        if let base = commit.base { census.update(base.states) }
        remember(commit)
        return directives
    }

    /// The one step in which a snapshot replaces what was there.
    private func install(_ batch: StorageBatch, _ entries: UInt64) throws(StoreError) {
        var record = RetentionRecord()
        record.horizon = core.base.position + 1
        record.prunedTo = record.horizon
        record.countedTo = core.base.position
        record.retained = entries
        var batch = batch
        batch.put(record.encoded, at: RecordKey.retention, in: .metadata)
        let proofs = ProofStatus(through: core.base.position, entries: entries)
        batch.put(proofs.encoded, at: RecordKey.proofs, in: .metadata)
        let complete = batch
        try retention.replaceLog(record) { () throws(StoreError) in
            try storing { () throws(StorageError) in try engine.install(complete) }
        }
    }

    private mutating func remember(_ commit: NodeCommit) {
        for added in commit.addedSealed where sealed.count < Self.sealedCacheLimit {
            sealed[added.link.headerHash] = IncomingDelta(added.delta)
        }
        if !commit.removedSealed.isEmpty {
            let pending = Set(core.chain.map(\.headerHash))
            sealed = sealed.filter { pending.contains($0.key) }
        }
        let overlays = Dictionary(commit.overlays.map { ($0.path, $0.overlay) }, uniquingKeysWith: { $1 })
        let bases = Dictionary((commit.base?.states ?? []).map { ($0.path, $0.state) }, uniquingKeysWith: { $1 })
        for path in Set(overlays.keys).union(bases.keys) {
            if case .some(.some(let overlay)) = overlays[path] {
                visibleChanges.append(VisibleChange(path: path, state: .some(overlay.view)))
            } else {
                visibleChanges.append(VisibleChange(path: path, state: bases[path]))
            }
        }
    }

    /// A path that clients may see differently.
    struct VisibleChange {
        var path: Path
        /// What they see now; nil where it has to be read again.
        var state: PathState??
    }

    /// What clients see differently since the last call.
    mutating func takeVisibleChanges() -> [VisibleChange] {
        defer { visibleChanges = [] }
        return visibleChanges
    }

    // MARK: Loading

    private var everythingPending: [PendingOperation] {
        get throws(StoreError) { try pending(from: 0, byteLimit: .max) }
    }

    /// Read in the step that needs it: what is written, or renamed, between a question and its answer would be forgotten.
    private func pending(from first: UInt64, byteLimit: Int) throws(StoreError) -> [PendingOperation] {
        try SpaceLoader(view: engine).pending(from: first, byteLimit: byteLimit)
    }

    private func load(_ inputs: [NodeInput]) throws(StoreError) -> NodeWorkingSet {
        var paths: Set<Path> = []
        var sequences: Set<UInt64> = []
        for input in inputs {
            switch input {
            case .write(let request): if let path = request.path { paths.insert(path) }
            case .page(let page): collect(page, &paths, &sequences)
            case .reissue(let operations): paths.formUnion(operations.map(\.path))
            case .sealOutbox(let operations): if core.isSpoiled { paths.formUnion(operations.map(\.path)) }
            case .snapshot(_, let operations):
                paths.formUnion(operations.map(\.path))
                paths.formUnion(try overlayPaths())
            case .joined, .seal, .pushAnswered, .pushFailed, .pushInterrupted, .retryPush, .investigate: break
            }
        }
        let own = try pending(sequences)
        paths.formUnion(own.values.map(\.path))
        let ordered = paths.sorted()
        let keys = ordered.map(\.bytes)
        let isSnapshot = inputs.contains { if case .snapshot = $0 { true } else { false } }
        let (bases, overlays) = try storing { () throws(StorageError) in
            let base = isSnapshot ? try engine.stagedView() : engine
            return (try base.load(keys, from: .state), try engine.load(keys, from: .overlay))
        }
        var loadedStates: [Path: PathState?] = [:]
        var loadedOverlays: [Path: Overlay?] = [:]
        loadedStates.reserveCapacity(ordered.count)
        loadedOverlays.reserveCapacity(ordered.count)
        let isPageLoaded = inputs.contains { if case .page = $0 { true } else { false } }
        for (index, path) in ordered.enumerated() {
            loadedStates[path] = .some(
                try bases[index].map { bytes throws(StoreError) in
                    try decoding("state of \(path)") { () throws(WireError) in try StateRecord.decode(bytes, at: path) }
                })
            let overlay = try overlays[index].map { bytes throws(StoreError) in
                try decoding("overlay of \(path)") { () throws(WireError) in
                    try StateRecord.decodeOverlay(bytes, at: path)
                }
            }
            loadedOverlays[path] = .some(overlay)
            if isPageLoaded { sequences.formUnion(overlay?.pending ?? []) }
        }
        return NodeWorkingSet(states: loadedStates, overlays: loadedOverlays, pending: try pending(sequences))
    }

    private func overlayPaths() throws(StoreError) -> [Path] {
        var paths: [Path] = []
        try SpaceLoader(view: engine).scan(from: [], until: nil, in: .overlay, "overlays") { key, _ throws(WireError) in
            guard let path = Path(key) else { throw WireError(.badPath) }
            paths.append(path)
            return true
        }
        return paths
    }

    private func collect(_ page: NodePage, _ paths: inout Set<Path>, _ sequences: inout Set<UInt64>) {
        for entry in page.entries {
            let delta: IncomingDelta?
            switch entry.body {
            case .delta(let foreign): delta = foreign
            case .receipt(let headerHash): delta = page.ownDeltas[headerHash]
            case .join: delta = nil
            }
            guard let delta else { continue }
            paths.formUnion(delta.paths)
            if delta.header.replica == core.replica {
                sequences.formUnion(delta.header.firstSequence...delta.header.lastSequence)
            }
        }
    }

    private func pending(_ sequences: Set<UInt64>) throws(StoreError) -> [UInt64: PendingOperation] {
        let ordered = sequences.sorted()
        let loaded = try storing { () throws(StorageError) in
            try engine.load(ordered.map(RecordKey.number), from: .outbox)
        }
        var operations: [UInt64: PendingOperation] = [:]
        for (sequence, bytes) in zip(ordered, loaded) {
            guard let bytes else { continue }
            operations[sequence] = try decoding("outbox entry \(sequence)") { () throws(WireError) in
                try StateRecord.decodePending(bytes)
            }
        }
        return operations
    }

    /// The own deltas that the receipts of a page name, as they were sealed.
    private func ownDeltas(of page: NodePage) throws(StoreError) -> [Digest: IncomingDelta] {
        var deltas: [Digest: IncomingDelta] = [:]
        for entry in page.entries {
            guard case .receipt(let hash) = entry.body, let link = core.chain.first(where: { $0.headerHash == hash }) else {
                continue
            }
            if let known = sealed[hash] {
                deltas[hash] = known
            } else if let delta = try sealedDeltas([link.firstSequence]).first {
                deltas[hash] = try decoding("sealed delta \(link.firstSequence)") { () throws(WireError) in
                    IncomingDelta(try delta.verified(primitives))
                }
            }
        }
        return deltas
    }

    /// Sealed deltas of the outbox by first sequence, byte for byte as they were sealed.
    func sealedDeltas(_ firstSequences: [UInt64]) throws(StoreError) -> [SealedDelta] {
        let loaded = try storing { () throws(StorageError) in
            try engine.load(firstSequences.map(RecordKey.number), from: .sealed)
        }
        var deltas: [SealedDelta] = []
        for (first, bytes) in zip(firstSequences, loaded) {
            guard let bytes else { continue }
            deltas.append(
                try decoding("sealed delta \(first)") { () throws(WireError) in
                    try CommitRecord.decodeSealed(bytes, first: first).1
                })
        }
        return deltas
    }
}
