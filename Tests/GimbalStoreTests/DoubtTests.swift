import GimbalCRDT
import GimbalReplication
import GimbalStorage
import GimbalStore
import Synchronization
import Testing

/// What the models in Specs/models/reissue.pml found about copied and rolled back folders, with the real stores.
struct DoubtTests {
    @Test("a folder rolled back to an unsent write that was sent since, in one delta with a later one, does not write it again")
    func rollbackIntoADelta() async throws {
        let world = try await World()
        let member = try await world.join()
        world.closePivot()
        // Sealed at once; what follows waits for its answer and goes into one delta.
        try await set(member.node, "things/0", "0")
        try await set(member.node, "things/1", "1")
        let backup = try member.engine.copied()
        _ = try await member.node.write(.delete(try path("things/1"))).get()
        try world.openPivot()
        try await world.settle([member])
        world.stop(member)
        let restored = World.Member(key: member.key, engine: backup)
        try world.start(restored)
        try await world.settle([restored])
        let pivot = try #require(world.pivot)
        for store in [restored.node as any SpaceStore, pivot] {
            #expect(try value(store, "things/0") == "0")
            #expect(try value(store, "things/1") == nil, "it was deleted")
        }
        world.stop(restored)
    }

    @Test("a copy that dies at any commit of its doubt goes on with it at the next start", arguments: 1..<8)
    func deathInDoubt(commits: Int) async throws {
        let world = try await World()
        let original = try await world.join()
        try await set(original.node, "things/before", "0")
        try await world.settle([original])
        world.stop(original)
        let clone = World.Member(key: original.key, engine: try original.engine.copied())
        try world.start(original)
        try await set(original.node, "things/original", "1")
        try await world.settle([original])
        let mortal = MortalEngine(clone.engine, commits: commits)
        try world.start(clone, on: mortal)
        let written = await clone.node.write(.set(try path("things/clone"), value: Array("2".utf8)))
        try await eventually("it died or has nothing left to do") {
            let isSettled = try value(original.node, "things/clone") == "2"
            return mortal.isDead || isSettled
        }
        world.stop(clone)
        try world.start(clone)
        try await set(clone.node, "things/after", "3")
        try await world.settle([original, clone])
        let pivot = try #require(world.pivot)
        for store in [original.node as any SpaceStore, clone.node, pivot] {
            #expect(try value(store, "things/before") == "0")
            #expect(try value(store, "things/original") == "1")
            if case .success = written { #expect(try value(store, "things/clone") == "2") }
            #expect(try value(store, "things/after") == "3")
        }
        world.stop(original)
        world.stop(clone)
    }
}

/// An engine that commits so many times and no more: what is on it then is what a crash leaves.
final class MortalEngine: StorageEngine {
    private let engine: MemoryEngine
    private let left: Mutex<Int>

    init(_ engine: MemoryEngine, commits: Int) {
        self.engine = engine
        left = Mutex(commits)
    }

    var isDead: Bool { left.withLock { $0 < 0 } }

    func load(_ keys: [[UInt8]], from section: Section) throws(StorageError) -> [[UInt8]?] {
        try engine.load(keys, from: section)
    }
    func scan(
        _ section: Section, from lower: [UInt8], until upper: [UInt8]?,
        _ visit: (_ key: [UInt8], _ value: [UInt8]) throws(StorageError) -> Bool
    ) throws(StorageError) {
        try engine.scan(section, from: lower, until: upper, visit)
    }
    func last(_ section: Section, below upper: [UInt8]) throws(StorageError) -> (key: [UInt8], value: [UInt8])? {
        try engine.last(section, below: upper)
    }
    func commit(_ batch: StorageBatch) throws(StorageError) {
        let isAlive = left.withLock { left in
            left -= 1
            return left >= 0
        }
        guard isAlive else { throw .failed(reason: "dead") }
        try engine.commit(batch)
    }
    func stage(_ run: StagedRun) throws(StorageError) { try engine.stage(run) }
    func stagedView() throws(StorageError) -> any StorageView { try engine.stagedView() }
    func clearStaged() throws(StorageError) { try engine.clearStaged() }
    func compactStaged() throws(StorageError) { try engine.compactStaged() }
    func install(_ batch: StorageBatch) throws(StorageError) { try engine.install(batch) }
    func view() throws(StorageError) -> any StorageView { try engine.view() }
    var statistics: [(name: String, value: UInt64)] { [] }
    func close() {}
}
