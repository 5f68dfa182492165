import Dispatch
import Foundation
import GimbalCRDT
import GimbalSigning
import GimbalStorage
import GimbalStore
import GimbalWire
import Synchronization

/// Snapshots, up to the node that takes them. Bytes that begin with a head are a snapshot as they are. Any others are a
/// script of edits to the snapshot of a space whose history was drawn. What a node takes is the state that the pivot signed,
/// and what it refuses leaves nothing behind.
enum SnapshotProperties {
    static func check(_ bytes: [UInt8]) {
        let items = leadingItems(of: bytes, SnapshotItem.decode, \.encoded)
        if !items.isEmpty {
            // Which state it should be nobody knows here: keys are always the same, clocks are not.
            _ = SnapshotTaker.take([bytes])
        } else {
            checkEdited(bytes)
        }
    }

    private static func checkEdited(_ bytes: [UInt8]) {
        var script = Script(bytes)
        let world = SnapshotWorld.of(number: script.below(SnapshotWorld.count))
        var edits = SnapshotEdits(world.items)
        let itemsPerFrame = 1 + script.below(16)
        while !script.isAtEnd, edits.count < 8 { edits.edit(&script) }
        let frames = stride(from: 0, to: edits.items.count, by: itemsPerFrame).map { first in
            Array(edits.items[first...].prefix(itemsPerFrame).joined())
        }
        guard let taken = SnapshotTaker.take(frames) else {
            return require(edits.items != world.items, "an untouched snapshot is taken")
        }
        require(taken.state == world.taken.state, "the state is the one that the pivot signed")
        require(taken.refused == world.taken.refused, "the refused dots are those that the pivot signed")
        if !edits.isSignedAnew { require(taken.checkpoint == world.taken.checkpoint, "the checkpoint is the pivot's") }
        guard taken.isProven else {
            return require(edits.items != world.items, "the proofs of an untouched snapshot hold")
        }
        require(taken.log == world.taken.log, "what is proven is the log that the pivot signed")
        require(taken.chain == world.taken.chain, "what is proven is the headers that the pivot signed")
    }

    /// Scripts, and snapshots as they are.
    static var seeds: [[UInt8]] {
        let edits: [[UInt8]] = [[0, 4, 9, 200, 3], [3, 6, 2, 2, 7], [1, 1, 3, 2, 7], [2, 5, 9, 0, 3], [7, 0, 8, 1, 1, 0, 0]]
        let scripts = edits.enumerated().map { index, edit in [UInt8(index * 12), 2] + edit }
        return scripts + [0, 1, 20, 41].map { Array(SnapshotWorld.of(number: $0).items.joined()) }
    }
}

extension SnapshotItem {
    static func decode(_ item: [UInt8], isFirst: Bool) throws(WireError) -> SnapshotItem {
        var reader = CBORReader(item)
        let value = try SnapshotItem(from: &reader, isFirst: isFirst)
        try reader.expectEnd()
        return value
    }

    var encoded: [UInt8] {
        var writer = CBORWriter()
        encode(into: &writer)
        return writer.bytes
    }
}

/// What a node has of a snapshot that it took.
struct TakenSnapshot: Hashable, Sendable {
    struct Record: Hashable, Sendable {
        var key: [UInt8]
        var value: [UInt8]
    }

    var state: [Record]
    var refused: [Record]
    var log: [Record]
    var chain: [Record]
    var checkpoint: SignedPayload?
    /// Whether signatures and log root hold.
    var isProven: Bool

    init(_ node: NodeSpace) throws(StorageError) {
        state = try Self.records(node.engine, .state)
        refused = try Self.records(node.engine, .refused)
        log = try Self.records(node.engine, .log)
        chain = try Self.records(node.engine, .chain)
        checkpoint = node.checkpoint
        isProven = node.proofStatus?.state == .verified
    }

    static func records(_ view: any StorageView, _ section: Section) throws(StorageError) -> [Record] {
        var records: [Record] = []
        try view.scan(section, from: [], until: nil) { key, value throws(StorageError) in
            records.append(Record(key: key, value: value))
            return true
        }
        return records
    }
}

/// Gives snapshots to a node that has nothing.
enum SnapshotTaker {
    private enum Outcome: Sendable {
        case taken, refused, incomplete
        case failed(String)
    }

    /// A node that has taken nothing yet is used again.
    private static let unused = Mutex<NodeSpace?>(nil)

    /// Nil when it was refused, or is not complete.
    static func take(_ frames: [[UInt8]]) -> TakenSnapshot? {
        do {
            let node = try unused.withLock { $0 } ?? newNode()
            unused.withLock { $0 = nil }
            let outcome: Outcome = awaited { done in
                Task { done(await give(frames, to: node)) }
            }
            switch outcome {
            case .taken:
                defer { node.close() }
                return try taken(by: node)
            case .failed(let error): require(false, "a snapshot that is wrong is refused as wrong bytes: \(error)")
            case .refused, .incomplete: try requireEmpty(node)
            }
            unused.withLock { $0 = node }
            return nil
        } catch {
            fatalError("an engine in memory does not fail: \(error)")
        }
    }

    private static func newNode() throws -> NodeSpace {
        let scene = Scene.shared
        var options = SpaceOptions.small
        // A few entries are more than is kept in memory.
        options.stagedChunkBytes = 1500
        return try NodeSpace(space: scene.space, engine: MemoryEngine(), signer: scene.anna, options: options)
    }

    private static func give(_ frames: [[UInt8]], to node: NodeSpace) async -> Outcome {
        do {
            let intake = try SnapshotIntake(node, from: Scene.shared.pivot.author)
            for frame in frames { try await intake.take(frame) }
            if try await intake.finish() { return .taken }
            try await intake.discard()
            return .incomplete
        } catch is WireError {
            return .refused
        } catch {
            return .failed("\(error)")
        }
    }

    private static func taken(by node: NodeSpace) throws -> TakenSnapshot {
        while node.proofStatus?.state == .pending { Thread.sleep(forTimeInterval: 0.000_02) }
        return try TakenSnapshot(node)
    }

    private static func requireEmpty(_ node: NodeSpace) throws {
        require(node.cursor == .start && node.checkpoint == nil, "a refused snapshot moves no cursor")
        let staged = try node.engine.stagedView()
        for section in Section.replaceable {
            let last = Array(repeating: UInt8.max, count: 600)
            require(try node.engine.last(section, below: last) == nil, "a refused snapshot leaves no \(section)")
            require(try staged.last(section, below: last) == nil, "a refused snapshot leaves no staged \(section)")
        }
    }
}

/// Waits for what another thread does.
func awaited<Value: Sendable>(_ start: (@escaping @Sendable (Value) -> Void) -> Void) -> Value {
    let result = Mutex<Value?>(nil)
    let isDone = DispatchSemaphore(value: 0)
    start { value in
        result.withLock { $0 = value }
        isDone.signal()
    }
    isDone.wait()
    guard let value = result.withLock({ $0 }) else { preconditionFailure("it is done") }
    return value
}
