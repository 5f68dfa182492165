import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalStorage
import GimbalWire

/// What a node's steps need from storage and leave in it. Used by the writer's thread alone.
struct NodeDisk: MachineDisk, Sendable {
    typealias Machine = NodeCore

    private var journal: DigestJournal
    private let engine: any StorageEngine
    private let retention: Retention
    private let primitives = SodiumPrimitives()
    private let watcher: (any SpaceWatcher)?
    private let keeper: StorageKeeper
    private let census: SiblingCensus
    private var timer = StepTimer()
    /// Deltas sealed by this process whose receipt has not come, so that they need not be read and verified again.
    private var sealed: [Digest: IncomingDelta] = [:]

    private static let sealedCacheLimit = 1024

    init(
        _ engine: any StorageEngine, journal: DigestJournal, watcher: (any SpaceWatcher)?, census: SiblingCensus,
        retention: Retention, keeper: StorageKeeper
    ) {
        self.engine = engine
        self.journal = journal
        self.watcher = watcher
        self.census = census
        self.retention = retention
        self.keeper = keeper
    }

    mutating func facts(for needs: NodeNeeds) throws(StoreError) -> NodeFacts {
        let facts = try NodeFacts(for: needs, from: self)
        timer = StepTimer()
        return facts
    }

    mutating func store(_ commit: NodeCommit, of core: NodeCore) throws(StoreError) {
        do throws(StoreError) {
            var next = journal
            let batch = CommitRecord.batch(commit, core.base, &next)
            let engine = engine
            if let entries = commit.installedEntries {
                try install(batch, through: core.base.position, retaining: entries)
            } else {
                try timer.storing { () throws(StorageError) in try engine.commit(batch) }
            }
            journal = next
        } catch {
            watcher?.commitFailed(error.code)
            keeper.met(error)
            throw error
        }
        watcher?.committed(step: timer.total, storage: timer.storage)
        if !commit.deadLetters.isEmpty { watcher?.refused(commit.deadLetters) }
        if commit.installedEntries != nil { census.forget() }
        if let base = commit.base { census.update(base.states) }
        remember(commit, core)
    }

    mutating func load(after core: NodeCore) throws(StoreError) -> NodeCore {
        let loader = SpaceLoader(view: engine)
        let (base, stored) = try loader.base(core.base.space)
        guard var record = try loader.nodeRecord() else {
            throw .damaged(record: "node record", WireError(.truncated, at: 0, "there is none"))
        }
        record.author = try loader.author(of: record) ?? core.record.author
        let fresh = core.reloaded(base: base, record: record, chain: try loader.sealedLinks())
        try retention.reload()
        journal = stored
        sealed = [:]
        census.forget()
        return fresh
    }

    /// The one step in which a snapshot replaces what was there.
    private func install(_ batch: StorageBatch, through position: UInt64, retaining entries: UInt64) throws(StoreError) {
        var record = RetentionRecord()
        record.horizon = position + 1
        record.prunedTo = record.horizon
        record.countedTo = position
        record.retained = entries
        var batch = batch
        batch.put(record.encoded, at: RecordKey.retention, in: .metadata)
        let proofs = ProofStatus(through: position, entries: entries)
        batch.put(proofs.encoded, at: RecordKey.proofs, in: .metadata)
        let complete = batch
        try retention.replaceLog(record) { () throws(StoreError) in
            try storing { () throws(StorageError) in try engine.install(complete) }
        }
    }

    private mutating func remember(_ commit: NodeCommit, _ core: NodeCore) {
        for added in commit.addedSealed where sealed.count < Self.sealedCacheLimit {
            sealed[added.link.headerHash] = IncomingDelta(added.delta)
        }
        guard !commit.removedSealed.isEmpty else { return }
        let pending = Set(core.chain.map(\.headerHash))
        sealed = sealed.filter { pending.contains($0.key) }
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

extension NodeDisk: NodeRecords {
    func states(of paths: [Path], inStagedSnapshot: Bool) throws(StoreError) -> [PathState?] {
        let loaded = try storing { () throws(StorageError) in
            let base: any StorageView = inStagedSnapshot ? try engine.stagedView() : engine
            return try base.load(paths.map(\.bytes), from: .state)
        }
        return try decode(loaded, of: paths, "state") { bytes, path throws(WireError) in
            try StateRecord.decode(bytes, at: path)
        }
    }

    func overlays(of paths: [Path]) throws(StoreError) -> [Overlay?] {
        let loaded = try storing { () throws(StorageError) in try engine.load(paths.map(\.bytes), from: .overlay) }
        return try decode(loaded, of: paths, "overlay") { bytes, path throws(WireError) in
            try StateRecord.decodeOverlay(bytes, at: path)
        }
    }

    private func decode<Value>(
        _ loaded: [[UInt8]?], of paths: [Path], _ what: String,
        _ decodeOne: (_ bytes: [UInt8], _ path: Path) throws(WireError) -> Value
    ) throws(StoreError) -> [Value?] {
        var values: [Value?] = []
        values.reserveCapacity(paths.count)
        for (path, bytes) in zip(paths, loaded) {
            guard let bytes else {
                values.append(nil)
                continue
            }
            do throws(WireError) {
                values.append(try decodeOne(bytes, path))
            } catch {
                throw .damaged(record: "\(what) of \(path)", error)
            }
        }
        return values
    }

    func overlaidPaths() throws(StoreError) -> [Path] {
        var paths: [Path] = []
        try SpaceLoader(view: engine).scan(from: [], until: nil, in: .overlay, "overlays") { key, _ throws(WireError) in
            guard let path = Path(key) else { throw WireError(.badPath) }
            paths.append(path)
            return true
        }
        return paths
    }

    func pending(_ sequences: [UInt64]) throws(StoreError) -> [PendingOperation?] {
        let loaded = try storing { () throws(StorageError) in
            try engine.load(sequences.map(RecordKey.number), from: .outbox)
        }
        var operations: [PendingOperation?] = []
        for (sequence, bytes) in zip(sequences, loaded) {
            operations.append(
                try bytes.map { bytes throws(StoreError) in
                    try decoding("outbox entry \(sequence)") { () throws(WireError) in try StateRecord.decodePending(bytes) }
                })
        }
        return operations
    }

    func pending(from first: UInt64, byteLimit: Int) throws(StoreError) -> [PendingOperation] {
        try SpaceLoader(view: engine).pending(from: first, byteLimit: byteLimit)
    }

    func sealedDelta(_ link: SealedLink) throws(StoreError) -> IncomingDelta? {
        if let known = sealed[link.headerHash] { return known }
        guard let delta = try sealedDeltas([link.firstSequence]).first else { return nil }
        return try decoding("sealed delta \(link.firstSequence)") { () throws(WireError) in
            IncomingDelta(try delta.verified(primitives))
        }
    }
}
