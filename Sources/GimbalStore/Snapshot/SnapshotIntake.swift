import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalStorage
import GimbalWire

/// Takes in a snapshot for one node, frame by frame, beside what the node serves meanwhile. What is staged survives a cut of
/// the connection and a crash; nothing of it is seen before all of it is there, its digest is the checkpoint's, and one
/// commit puts it in place. At most a chunk and a few frames are in memory.
public actor SnapshotIntake {
    private let node: NodeSpace
    private let pivot: AuthorID
    private let engine: any StorageEngine
    private let primitives = SodiumPrimitives()
    private let chunkBytes: Int
    private var progress: SnapshotProgress?
    private var checkpoint: VerifiedCheckpoint?
    private var decoding: [Task<SnapshotFrame, any Error>] = []
    private var hasBegun: Bool

    // The chunk: taken, not yet staged.
    private var states = StagedRun(.state)
    private var log = StagedRun(.log)
    private var links = StagedRun(.chain)
    private var filter = PathFilter()
    /// Paths of the chunk that may have been staged before, or twice in it.
    private var maybeSiblings: [[UInt8]] = []

    // What comes after the entries: small, and sent again after a cut.
    private var replicas: [(replica: ReplicaID, head: Head)] = []
    private var refused: [(dot: Dot, reason: String)] = []
    private var stateEnd: (entries: UInt64, replicas: UInt64, refused: UInt64)?
    private var subtrees: [LogSubtree] = []
    private var isComplete = false

    /// Frames that are decoded at the same time.
    private static let decodedAtOnce = 3

    /// Goes on with what an earlier intake staged.
    ///
    /// - Parameters:
    ///   - node: the copy that the snapshot is for.
    ///   - pivot: whose checkpoint is believed.
    public init(_ node: NodeSpace, from pivot: AuthorID) throws(StoreError) {
        self.node = node
        self.pivot = pivot
        engine = node.engine
        chunkBytes = node.options.stagedChunkBytes
        progress = try SnapshotProgress.load(engine)
        hasBegun = progress != nil
        if let head = progress?.head {
            checkpoint = try? Self.verify(head, of: node.space, by: pivot, primitives)
            if checkpoint == nil {
                progress = nil
                hasBegun = false
            }
        }
        if progress != nil { filter = try Self.stagedPaths(engine) }
    }

    private static func verify(
        _ head: SnapshotHead, of space: SpaceID, by pivot: AuthorID, _ primitives: any Primitives
    ) throws(WireError) -> VerifiedCheckpoint {
        guard head.space == space else { throw WireError(.wrongSpace, "a snapshot of \(head.space)") }
        guard head.checkpoints.count == 1 else { throw WireError(.inconsistent, at: 0, "one log tree expected") }
        let verified = try VerifiedCheckpoint(verifying: head.checkpoints[0], by: pivot, of: space, primitives)
        let checkpoint = verified.checkpoint
        guard checkpoint.firstPosition >= 1, checkpoint.firstPosition <= checkpoint.position,
            head.frontier.count == checkpoint.position - checkpoint.firstPosition + 1,
            head.frontier.root(primitives) == checkpoint.logRoot
        else { throw WireError(.badRoot, "the log's right edge does not lead to the checkpoint's log root") }
        guard checkpoint.isTimely else {
            throw WireError(.badStamp, "the checkpoint's times are none that a pivot's clock can say")
        }
        return verified
    }

    /// Where to go on; nil when nothing is there yet.
    public var place: SnapshotPlace? {
        get async throws {
            try await discardingWhatIsWrong { try await drainFrames() }
            guard let progress, let checkpoint else { return nil }
            let cursor = checkpoint.checkpoint.cursor
            resetTail()
            return progress.isEntriesDone
                ? SnapshotPlace(cursor: cursor, section: .replicas(entries: progress.entries))
                : SnapshotPlace(cursor: cursor, section: .entries(after: progress.after, count: progress.entries))
        }
    }

    /// Takes the next frame.
    ///
    /// Throws a `WireError` for bytes that are not what they must be; then nothing of the snapshot is kept.
    public func take(_ bytes: [UInt8]) async throws {
        let isFirst = !hasBegun
        hasBegun = true
        let (space, primitives) = (node.space, primitives)
        decoding.append(Task { try SnapshotFrame(bytes, isFirst: isFirst, in: space, primitives) })
        try await discardingWhatIsWrong { while decoding.count > Self.decodedAtOnce { try await applyNext() } }
    }

    /// Installs the snapshot if all of it is there; nothing of it is seen before.
    ///
    /// Throws a `WireError` when it is not what its checkpoint says; then nothing of it is kept.
    ///
    /// - Returns: false when more has to come.
    public func finish() async throws -> Bool {
        try await discardingWhatIsWrong {
            try await drainFrames()
            if isComplete { try await install() }
        }
        return isComplete
    }

    private func discardingWhatIsWrong(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let error as WireError {
            try discard()
            throw error
        }
    }

    /// Forgets all that is staged: it is of a snapshot that nobody sends any more.
    public func discard() throws(StoreError) {
        for task in decoding { task.cancel() }
        decoding = []
        progress = nil
        checkpoint = nil
        hasBegun = false
        filter = PathFilter()
        clearChunk()
        resetTail()
        try storing { () throws(StorageError) in
            var batch = StorageBatch()
            batch.delete(RecordKey.intake, in: .metadata)
            try engine.commit(batch)
        }
        try node.retention.claimStaging()
        node.show(intake: nil)
    }

    private func drainFrames() async throws {
        while !decoding.isEmpty { try await applyNext() }
    }

    private func applyNext() async throws {
        let frame = try await decoding.removeFirst().value
        try apply(frame)
    }

    private func resetTail() {
        replicas = []
        refused = []
        stateEnd = nil
        subtrees = []
    }

    private func clearChunk() {
        states = StagedRun(.state)
        log = StagedRun(.log)
        links = StagedRun(.chain)
        maybeSiblings = []
    }

    // MARK: Staging

    private func apply(_ frame: SnapshotFrame) throws {
        if let head = frame.head { try begin(head) }
        guard var progress, let checkpoint else { throw WireError(.unexpected, at: 0, "a snapshot begins with its head") }
        for position in frame.positions {
            guard position > progress.after, position <= checkpoint.checkpoint.position,
                position >= checkpoint.checkpoint.firstPosition
            else { throw WireError(.inconsistent, at: 0, "rising positions up to the checkpoint's expected") }
            progress.after = position
        }
        progress.entries += UInt64(frame.positions.count)
        progress.digest.add(frame.digest)
        progress.greatestStamp = max(progress.greatestStamp, frame.greatestStamp)
        for (path, effect) in frame.recordEffects {
            guard Self.fits(effect, progress.records[path]) else {
                throw WireError(.inconsistent, at: 0, "the kind does not fit")
            }
            progress.records[path] = PathState.applying(effect, to: progress.records[path])
            if case .write(let write) = effect { progress.greatestStamp = max(progress.greatestStamp, write.stamp) }
        }
        states.append(frame.states)
        log.append(frame.log)
        links.append(frame.links)
        for (index, hash) in frame.pathHashes.enumerated() where filter.insert(hash) {
            maybeSiblings.append(Array(frame.states.key(index)))
        }
        replicas += frame.replicas
        refused += frame.refused
        if let end = frame.stateEnd { stateEnd = end }
        if !frame.replicas.isEmpty || frame.stateEnd != nil { progress.isEntriesDone = true }
        for subtree in frame.subtrees { try take(subtree, in: checkpoint.checkpoint) }
        self.progress = progress
        if let end = frame.end {
            guard end == UInt64(subtrees.count) else { throw WireError(.inconsistent, at: 0, "\(end) subtrees expected") }
            isComplete = true
        }
        if states.byteCount + log.byteCount > chunkBytes { try flush() }
        node.show(intake: IntakeStatus(position: progress.after, end: checkpoint.checkpoint.position, entries: progress.entries))
    }

    /// Stretches of the log, one after the other. Whether they are what no entry shows, the proofs tell.
    private func take(_ subtree: LogSubtree, in checkpoint: Checkpoint) throws(WireError) {
        guard subtree.leaves > 0, subtree.first >= subtrees.last?.end ?? checkpoint.firstPosition,
            subtree.first <= checkpoint.position, subtree.leaves - 1 <= checkpoint.position - subtree.first
        else { throw WireError(.inconsistent, at: 0, "subtrees one after the other, up to the checkpoint, expected") }
        subtrees.append(subtree)
    }

    private static func fits(_ effect: Effect, _ state: PathState?) -> Bool {
        switch (effect, state) {
        case (.write, .member), (.put, .register), (.remove, .register): false
        default: true
        }
    }

    private func begin(_ head: SnapshotHead) throws {
        guard progress == nil else { throw WireError(.unexpected, at: 0, "a second head") }
        checkpoint = try Self.verify(head, of: node.space, by: pivot, primitives)
        try node.retention.claimStaging()
        progress = SnapshotProgress(head: head)
    }

    /// Stages the chunk, then remembers that it is staged: after a crash in between it is staged again.
    private func flush() throws {
        guard let progress else { return }
        let view = try storing { () throws(StorageError) in try engine.stagedView() }
        if !maybeSiblings.isEmpty {
            let staged = try storing { () throws(StorageError) in try view.load(maybeSiblings, from: .state) }
            for (path, bytes) in zip(maybeSiblings, staged) { if let bytes { states.append(path, bytes) } }
        }
        try states.sortCombiningSiblings()
        links.sort()
        let (states, log, links) = (states, log, links)
        try storing { () throws(StorageError) in
            for run in [states, log, links] { try engine.stage(run) }
            var batch = StorageBatch()
            batch.put(progress.encoded, at: RecordKey.intake, in: .metadata)
            try engine.commit(batch)
        }
        clearChunk()
    }

    private static func stagedPaths(_ engine: any StorageEngine) throws(StoreError) -> PathFilter {
        var filter = PathFilter()
        let view = try storing { () throws(StorageError) in try engine.stagedView() }
        try SpaceLoader(view: view).scan(from: [], until: nil, in: .state, "staged states") { key, _ in
            _ = filter.insert(PathFilter.hash(key[...]))
            return true
        }
        return filter
    }

    // MARK: The end

    private func install() async throws {
        guard let progress, let checkpoint, let stateEnd else { throw WireError(.truncated, at: 0, "no end of the state") }
        guard stateEnd == (progress.entries, UInt64(replicas.count), UInt64(refused.count)) else {
            throw WireError(.inconsistent, at: 0, "other counts than the state's end says")
        }
        try flush()
        try stageTail(progress, checkpoint.checkpoint)
        let snapshot = try verifiedSnapshot(progress, checkpoint)
        try await node.install(snapshot)
        self.progress = nil
        hasBegun = false
        node.show(intake: nil)
    }

    private func stageTail(_ progress: SnapshotProgress, _ checkpoint: Checkpoint) throws {
        var states = StagedRun(.state)
        for (path, state) in progress.records { states.append(path.bytes, StateRecord.encode(state)) }
        states.sort()
        var refusedRun = StagedRun(.refused)
        for (dot, reason) in refused { refusedRun.append(RecordKey.dot(dot), Array(reason.utf8)) }
        refusedRun.sort()
        var subtreeRun = StagedRun(.subtrees)
        for subtree in try completeSubtrees(progress.head.frontier, checkpoint) {
            subtreeRun.append(RecordKey.number(subtree.first), SubtreeStore.encode(subtree))
        }
        subtreeRun.sort()
        let links = try headLinks()
        let runs = [states, refusedRun, subtreeRun, links]
        try storing { () throws(StorageError) in for run in runs { try engine.stage(run) } }
    }

    /// Heads whose delta has nothing to show have a link without a place.
    private func headLinks() throws -> StagedRun {
        let view = try storing { () throws(StorageError) in try engine.stagedView() }
        let keys = replicas.map { RecordKey.link($0.replica, lastSequence: $0.head.sequence) }
        let known = try storing { () throws(StorageError) in try view.load(keys, from: .chain) }
        var links = StagedRun(.chain)
        for (index, (replica, head)) in replicas.enumerated() where known[index] == nil {
            guard head.sequence > 0 else { throw WireError(.inconsistent, at: 0, "a head without a sequence") }
            let link = ChainLink(
                replica: replica, firstSequence: head.sequence, lastSequence: head.sequence, headerHash: head.headerHash,
                position: 0)
            links.append(keys[index], CommitRecord.encode(link))
        }
        links.sort()
        return links
    }

    /// What is left out at the log's end is one hash that a longer log does not contain: the right edge has its parts.
    private func completeSubtrees(_ frontier: MerkleTree.Frontier, _ checkpoint: Checkpoint) throws -> [LogSubtree] {
        guard let last = subtrees.last, last.end == checkpoint.position + 1 else { return subtrees }
        var parts: [LogSubtree] = []
        var first = checkpoint.firstPosition
        for hash in frontier.subtrees {
            let rest = frontier.count - (first - checkpoint.firstPosition)
            let leaves: UInt64 = 1 << UInt64(63 - rest.leadingZeroBitCount)
            if first >= last.first { parts.append(LogSubtree(first: first, leaves: leaves, hash: hash)) }
            first += leaves
        }
        guard let edge = parts.first, edge.first == last.first else { return subtrees }
        return subtrees.dropLast() + parts
    }

    private func verifiedSnapshot(
        _ progress: SnapshotProgress, _ checkpoint: VerifiedCheckpoint
    ) throws -> StagedSnapshot {
        let loader = SpaceLoader(view: try storing { () throws(StorageError) in try engine.stagedView() })
        let versionVector = VersionVector(heads: Dictionary(replicas.map { ($0.replica, $0.head) }, uniquingKeysWith: { $1 }))
        var digest = progress.digest
        for (path, state) in progress.records { digest.replace([], with: state.writes, on: path, primitives) }
        for (replica, head) in replicas { digest.count(head, of: replica, .adding, primitives) }
        for (dot, reason) in refused { digest.count(refused: dot, reason: reason, .adding, primitives) }
        guard digest.value(primitives) == checkpoint.checkpoint.stateDigest else {
            throw WireError(.inconsistent, at: 0, "the state differs from the checkpoint's digest")
        }
        guard try loader.versionVector() == versionVector else {
            throw WireError(.inconsistent, at: 0, "entries beyond the version vector")
        }
        let base = SpaceBase(
            space: node.space, versionVector: versionVector,
            refused: Dictionary(refused.map { ($0.dot, $0.reason) }, uniquingKeysWith: { $1 }), digest: digest,
            frontier: progress.head.frontier, firstPosition: checkpoint.checkpoint.firstPosition,
            greatestStamp: checkpoint.checkpoint.greatestStamp, records: try loader.records())
        return StagedSnapshot(
            base: base, checkpoint: checkpoint, greatestLiveStamp: progress.greatestStamp, entries: progress.entries)
    }
}

/// How far a snapshot is, for people.
public struct IntakeStatus: Hashable, Sendable {
    /// Of the last entry that is in, and of the checkpoint.
    public var position: UInt64
    public var end: UInt64
    public var entries: UInt64
}

extension StagedRun {
    /// The states of one path that came in several entries become one.
    fileprivate mutating func sortCombiningSiblings() throws(WireError) {
        var failure: WireError?
        sort { key, earlier, later in
            do throws(WireError) {
                guard let path = Path(key) else { throw WireError(.badPath) }
                return try StateRecord.combine(earlier, later, at: path)
            } catch {
                failure = error
                return later
            }
        }
        if let failure { throw failure }
    }
}
