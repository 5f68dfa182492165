import Foundation
import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalStorage
import GimbalStore
import GimbalWire
import Synchronization

/// A space with a history, its snapshot, and what a node makes of that when nobody touches it.
struct SnapshotWorld: Sendable {
    let items: [[UInt8]]
    let taken: TakenSnapshot

    static let count = 64
    /// Each is made once: inputs differ in what is done to the snapshot, and a history costs as much as many of them.
    private static let known = Mutex<[Int: SnapshotWorld]>([:])

    static func of(number: Int) -> SnapshotWorld {
        if let world = known.withLock({ $0[number] }) { return world }
        do {
            let world = try SnapshotWorld(history(number))
            known.withLock { $0[number] = world }
            return world
        } catch {
            fatalError("an engine in memory does not fail: \(error)")
        }
    }

    /// A script: the same for the same number. They grow longer; of two neighbours one is pruned.
    private static func history(_ number: Int) -> [UInt8] {
        var random = ScriptRandom(seed: UInt64(number))
        return [UInt8(number & 1)] + (0..<number).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    private init(_ history: [UInt8]) throws {
        var script = Script(history)
        let isPruned = script.flag()
        let engine = MemoryEngine()
        var writer = try SpaceWriter(engine, isPruned: isPruned)
        defer { writer.pivot.close() }
        writer.found()
        while !script.isAtEnd { writer.step(&script) }
        if isPruned { writer.awaitPruning() }
        items = try Self.items(writer.pivot)
        guard let taken = SnapshotTaker.take([Array(items.joined())]) else {
            preconditionFailure("an untouched snapshot is taken")
        }
        self.taken = taken
        require(taken.isProven, "the proofs of an untouched snapshot hold")
        require(try taken.state == TakenSnapshot.records(engine, .state), "a snapshot is the pivot's state")
        require(try taken.refused == TakenSnapshot.records(engine, .refused), "a snapshot has the pivot's refused dots")
    }

    private static func items(_ pivot: PivotSpace) throws -> [[UInt8]] {
        guard let (source, first) = try pivot.snapshot(nil) else { preconditionFailure("there is a new one at any time") }
        defer { pivot.release(source) }
        var frames = first
        var items: [[UInt8]] = []
        while let frame = try frames.next() {
            var reader = CBORReader(frame)
            while !reader.isAtEnd {
                let start = reader.offset
                _ = try SnapshotItem(from: &reader, isFirst: items.isEmpty)
                items.append(Array(frame[start..<reader.offset]))
            }
        }
        return items
    }
}

/// Writes to a pivot, and pushes to it as a member.
private struct SpaceWriter {
    private static let paths = ["things/1", "things/2", "things/3", "one", "two", "a/b/c"].map(Scene.path)
    private static let values = ["1", #"{"a":[1,null]}"#, #""text""#]

    let pivot: PivotSpace
    private let scene = Scene.shared
    private var head = Head.none

    init(_ engine: MemoryEngine, isPruned: Bool) throws {
        var options = SpaceOptions.small
        if isPruned {
            options.retention.keptEntries = 1
            options.retention.mostEntries = 1
            options.retention.intervalMilliseconds = 1
        }
        pivot = try PivotSpace(
            space: scene.space, engine: engine, signer: scene.pivot, certificate: scene.certificate, options: options)
    }

    func found() {
        var settings = SpaceSettings()
        settings.patterns = [Pattern("**")].compactMap { $0 }
        write(.record(SpaceRecords.settingsPath, value: settings.json))
        let member = MemberRecord(name: "a", writes: [Pattern("things/*")].compactMap { $0 })
        write(.record(SpaceRecords.memberPath(scene.anna.author), value: member.json))
    }

    mutating func step(_ script: inout Script) {
        let choice = script.byte()
        let path = Self.paths[Int(choice >> 3) % Self.paths.count]
        let value = Array(Self.values[Int(choice >> 6) % Self.values.count].utf8)
        switch choice & 7 {
        case 0, 1: write(.set(path, value: value))
        case 2: write(.delete(path))
        case 3:
            var settings = SpaceSettings()
            settings.patterns = [Pattern("**")].compactMap { $0 }
            settings.limits.valueBytes = 1000 + Int(choice)
            write(.record(SpaceRecords.settingsPath, value: settings.json))
        default: push([path, Self.paths[Int(script.byte()) % Self.paths.count]], value)
        }
    }

    private func write(_ action: WriteRequest.Action) {
        // A deletion of what is not there, and the like, may be refused.
        _ = awaited { done in pivot.submit(action, completion: done) }
    }

    /// Without having seen anything: values stay beside others, and what the member may not write is refused.
    private mutating func push(_ paths: [Path], _ value: [UInt8]) {
        let operations = paths.enumerated().map { index, path in
            let action: GimbalWire.Operation.Action =
                path.isRegister ? .assign(value: value, created: .zero) : .put(value: value, created: .zero, observed: [])
            return GimbalWire.Operation(stampOffset: UInt64(index), path: path, action: action).encoded
        }
        let header = DeltaHeader(
            space: scene.space, replica: ReplicaID(author: scene.anna.author, incarnation: 1), firstSequence: head.sequence + 1,
            count: operations.count, stamp: HybridTimestamp(milliseconds: 1_700_000_000_000), previous: head.headerHash,
            observed: [], root: .zero)
        let delta = VerifiedDelta(sealing: operations, header: header, with: scene.anna, scene.primitives)
        let outcome = awaited { done in pivot.push(.start, [IncomingDelta(delta)], completion: done) }
        guard case .success(let pushed) = outcome, pushed.verdict == .accepted else {
            preconditionFailure("the pivot takes what is signed and in order: \(outcome)")
        }
        head = Head(sequence: delta.header.lastSequence, headerHash: delta.headerHash)
    }

    func awaitPruning() {
        while pivot.retentionStatus.horizon < pivot.place.position { Thread.sleep(forTimeInterval: 0.000_2) }
    }
}
