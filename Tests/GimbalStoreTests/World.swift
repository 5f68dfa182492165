import Foundation
import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalStorage
import GimbalStore
import GimbalWire
import Synchronization
import Testing

/// A pivot and its nodes in one process: the real stores on engines in memory, and a network that loses what it is told to.
final class World: Sendable {
    let root = SigningKey.generate()
    let pivotKey = SigningKey.generate()
    let pivotEngine = MemoryEngine()
    /// How much of the log everyone keeps.
    let retention: RetentionOptions
    private let current: Mutex<PivotSpace?>

    /// One node, which outlives its restarts.
    final class Member: Sendable {
        let key: SigningKey
        let engine: MemoryEngine
        let link: Mutex<Link?>

        init(key: SigningKey, engine: MemoryEngine) {
            self.key = key
            self.engine = engine
            link = Mutex(nil)
        }

        var node: NodeSpace {
            guard let link = link.withLock({ $0 }) else { preconditionFailure("the node is not running") }
            return link.node
        }
    }

    init(
        patterns: [String] = ["things/*", "settings"], retention: RetentionOptions = RetentionOptions()
    ) async throws {
        self.retention = retention
        current = Mutex(nil)
        try openPivot()
        var settings = SpaceSettings()
        settings.patterns = patterns.compactMap { Pattern($0) }
        try await write(settings)
    }

    var pivot: PivotSpace? { current.withLock { $0 } }

    func write(_ settings: SpaceSettings) async throws {
        _ = try await pivot?.write(.record(SpaceRecords.settingsPath, value: settings.json)).get()
    }

    func openPivot() throws {
        let space = SpaceID(words: root.author.words)
        let certificate = Certificate(space: space, pivot: pivotKey.author, serial: 1, issuedMilliseconds: 0)
        let store = try PivotSpace(
            space: space, engine: UnclosedEngine(pivotEngine), signer: pivotKey,
            certificate: SignedPayload(signing: certificate.encoded, with: root), options: options(0))
        current.withLock { $0 = store }
    }

    /// The pivot goes away, as after a crash: what is not in its engine is gone.
    func closePivot() {
        let store = current.withLock { pivot in
            defer { pivot = nil }
            return pivot
        }
        store?.close()
    }

    func admit(_ key: SigningKey) async throws {
        let record = MemberRecord(name: "", writes: [try #require(Pattern("**"))])
        _ = try await pivot?.write(.record(SpaceRecords.memberPath(key.author), value: record.json)).get()
    }

    func join(loss: Double = 0, wallOffset: Int64 = 0) async throws -> Member {
        let member = Member(key: .generate(), engine: MemoryEngine())
        try await admit(member.key)
        try start(member, loss: loss, wallOffset: wallOffset)
        try await eventually("ready") { member.node.isReady }
        return member
    }

    /// - Parameters:
    ///   - loss: how many of the node's requests and answers get lost.
    ///   - engine: the member's own if nil.
    func start(_ member: Member, on engine: (any StorageEngine)? = nil, loss: Double = 0, wallOffset: Int64 = 0) throws {
        let node = try NodeSpace(
            space: SpaceID(words: root.author.words), engine: engine ?? UnclosedEngine(member.engine), signer: member.key,
            options: options(wallOffset))
        member.link.withLock { $0 = Link(node: node, world: self, loss: loss) }
    }

    func options(_ wallOffset: Int64) -> SpaceOptions {
        var options = SpaceOptions(wallOffsetMilliseconds: wallOffset, retention: retention)
        // Every few entries are staged, so that a cut comes in the middle.
        options.stagedChunkBytes = 2000
        options.snapshotFrameBytes = 1000
        return options
    }

    func stop(_ member: Member) {
        let link = member.link.withLock { link in
            defer { link = nil }
            return link
        }
        link?.stop()
    }

    /// Waits until the log of the pivot is pruned up to its last entries.
    func prune() async throws {
        try await eventually("the horizon is at the log's end") { [self] in
            guard let pivot else { return false }
            return pivot.retentionStatus.horizon + 3 > pivot.place.position
        }
    }

    /// Waits until all outboxes are empty and every base is the pivot's state.
    func settle(_ members: [Member]) async throws {
        try await eventually("one state") { [self] in
            guard let pivot, let checkpoint = pivot.latestCheckpoint else { return false }
            let expected = try Checkpoint(decoding: checkpoint.payload)
            return try members.allSatisfy { member in
                let reached = try member.node.checkpoint.map { try Checkpoint(decoding: $0.payload) }
                return member.node.outboxCount == 0 && reached?.position == expected.position
                    && reached?.stateDigest == expected.stateDigest
            }
        }
    }
}

/// An engine that survives its space: closing it is a restart, not the end. Whoever still has the closed one can do nothing.
final class UnclosedEngine: StorageEngine {
    private let engine: MemoryEngine
    private let isClosed = Mutex(false)

    init(_ engine: MemoryEngine) { self.engine = engine }

    private func open() throws(StorageError) -> MemoryEngine {
        if isClosed.withLock({ $0 }) { throw .closed }
        return engine
    }

    func load(_ keys: [[UInt8]], from section: Section) throws(StorageError) -> [[UInt8]?] {
        try open().load(keys, from: section)
    }
    func scan(
        _ section: Section, from lower: [UInt8], until upper: [UInt8]?,
        _ visit: (_ key: [UInt8], _ value: [UInt8]) throws(StorageError) -> Bool
    ) throws(StorageError) {
        try open().scan(section, from: lower, until: upper, visit)
    }
    func last(_ section: Section, below upper: [UInt8]) throws(StorageError) -> (key: [UInt8], value: [UInt8])? {
        try open().last(section, below: upper)
    }
    /// Under the lock: a commit that has begun is over when the engine is closed.
    func commit(_ batch: StorageBatch) throws(StorageError) {
        try change { engine throws(StorageError) in try engine.commit(batch) }
    }
    func view() throws(StorageError) -> any StorageView { try open().view() }
    func stage(_ run: StagedRun) throws(StorageError) {
        try change { engine throws(StorageError) in try engine.stage(run) }
    }
    func stagedView() throws(StorageError) -> any StorageView { try open().stagedView() }
    func clearStaged() throws(StorageError) { try change { engine throws(StorageError) in try engine.clearStaged() } }
    func compactStaged() throws(StorageError) { try open().compactStaged() }
    func install(_ batch: StorageBatch) throws(StorageError) {
        try change { engine throws(StorageError) in try engine.install(batch) }
    }
    var statistics: [(name: String, value: UInt64)] { [] }
    func close() { isClosed.withLock { $0 = true } }

    private func change(_ body: (MemoryEngine) throws(StorageError) -> Void) throws(StorageError) {
        try isClosed.withLock { isClosed throws(StorageError) in
            if isClosed { throw .closed }
            try body(engine)
        }
    }
}

extension RetentionOptions {
    /// The newest entries alone stay whole, whoever is away.
    static var shortest: RetentionOptions {
        var options = RetentionOptions()
        options.keptEntries = 3
        options.mostEntries = 3
        options.liveMilliseconds = 0
        options.intervalMilliseconds = 5
        options.snapshotMilliseconds = 100
        options.entriesPerStep = 5
        return options
    }
}

extension PivotSpace {
    /// A snapshot as a node gets it.
    func snapshotFrames() throws -> [[UInt8]] {
        let (source, first) = try #require(try snapshot(nil))
        defer { release(source) }
        var reader = first
        var frames: [[UInt8]] = []
        while let frame = try reader.next() { frames.append(frame) }
        return frames
    }
}

extension MemoryEngine {
    /// A copied data folder.
    func copied() throws -> MemoryEngine {
        let copy = MemoryEngine()
        var batch = StorageBatch()
        for section in Section.allCases {
            try scan(section, from: [], until: nil) { key, value in
                batch.put(value, at: key, in: section)
                return true
            }
        }
        try copy.commit(batch)
        return copy
    }
}

func eventually(_ what: String, _ condition: () throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(30)
    var polls = 0
    // Time alone says nothing where other tests keep every thread busy: it has to have been asked often, too.
    while ContinuousClock.now < deadline || polls < 2000 {
        if try condition() { return }
        polls += 1
        try await Task.sleep(for: .milliseconds(2))
    }
    try #require(Bool(false), "never happened: \(what)")
}
