import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalStorage
import GimbalStore
import GimbalWire
import Synchronization
import Testing

/// A commit whose outcome is not known: who waits is told so, nothing is written over what may be there, and all goes on by
/// itself.
struct UncertainOutcomeTests {
    private func write(_ store: any SpaceStore, _ key: String, _ value: String) async throws -> Result<Written, WriteFailure> {
        await store.write(.set(try path(key), value: Array(value.utf8)))
    }

    private func failure<Value>(_ result: Result<Value, WriteFailure>) -> WriteFailure? {
        if case .failure(let failure) = result { failure } else { nil }
    }

    private func dots(_ store: any SpaceStore, _ keys: [String]) throws -> [Dot] {
        try keys.flatMap { try store.state(try path($0))?.writes.map(\.dot) ?? [] }
    }

    /// The same at a pivot and at a node.
    private func check(_ store: any SpaceStore, _ engine: UncertainEngine, isStored: Bool) async throws {
        try await set(store, "things/before", "1")
        #expect(store.storageFault == nil)
        engine.failNext(isStored: isStored)
        let doubtful = try await write(store, "things/doubtful", "2")
        #expect(failure(doubtful) == .outcomeUnknown)
        let refused = try await write(store, "things/refused", "3")
        #expect(failure(refused) == .storageFailed)
        #expect(store.storageFault?.code == "storage-failed")
        #expect(try value(store, "things/before") == "1", "reads go on")
        #expect(try value(store, "things/doubtful") == nil, "it is not shown before it is known")
        engine.mend()
        try await eventually("it works again by itself") { store.storageFault == nil }
        #expect(engine.recoveries == 1)
        #expect(try value(store, "things/doubtful") == (isStored ? "2" : nil))
        for number in 0..<3 { try await set(store, "things/after\(number)", "4") }
        #expect(try value(store, "things/refused") == nil, "that nothing of it was stored was said")
        let dots = try dots(store, ["things/before", "things/doubtful", "things/after0", "things/after1", "things/after2"])
        #expect(dots.count == (isStored ? 5 : 4))
        #expect(Set(dots).count == dots.count, "no dot names two writes")
    }

    @Test("at a pivot", arguments: [true, false])
    func pivot(isStored: Bool) async throws {
        let memory = MemoryEngine()
        let engine = UncertainEngine(memory)
        let (root, key) = (SigningKey.generate(), SigningKey.generate())
        let space = SpaceID(words: root.author.words)
        let certificate = SignedPayload(
            signing: Certificate(space: space, pivot: key.author, serial: 1, issuedMilliseconds: 0).encoded, with: root)
        let pivot = try PivotSpace(space: space, engine: engine, signer: key, certificate: certificate)
        var settings = SpaceSettings()
        settings.patterns = [.everything]
        _ = try await pivot.write(.record(SpaceRecords.settingsPath, value: settings.json)).get()
        try await check(pivot, engine, isStored: isStored)
        let (place, checkpoint) = (pivot.place, try #require(pivot.latestCheckpoint))
        pivot.close()
        // What is on disk is what was in memory: a restart reads it back, and proves its log.
        let restarted = try PivotSpace(space: space, engine: memory, signer: key, certificate: certificate)
        #expect(restarted.place == place)
        #expect(restarted.latestCheckpoint?.payload == checkpoint.payload)
        try await set(restarted, "things/last", "5")
        let bundle = try #require(try restarted.export())
        var bytes: [UInt8] = []
        try bundle.write([.everything]) { bytes += $0 }
        #expect(!bytes.isEmpty)
        restarted.close()
    }

    @Test("at a node, whose pivot has all of it in the end", arguments: [true, false], [true, false])
    func node(isStored: Bool, isPivotThere: Bool) async throws {
        let world = try await World()
        let member = World.Member(key: .generate(), engine: MemoryEngine())
        try await world.admit(member.key)
        let engine = UncertainEngine(member.engine)
        try world.start(member, on: engine)
        try await eventually("ready") { member.node.isReady }
        let other = try await world.join()
        if !isPivotThere { world.closePivot() }
        try await check(member.node, engine, isStored: isStored)
        if !isPivotThere { try world.openPivot() }
        try await world.settle([member, other])
        for store in [other.node as any SpaceStore, try #require(world.pivot)] {
            #expect(try value(store, "things/doubtful") == (isStored ? "2" : nil))
            #expect(try value(store, "things/after2") == "4")
        }
        let link = try #require(member.link.withLock { $0 })
        #expect(link.faults.withLock { $0 } == [])
        world.stop(member)
        world.stop(other)
    }

    @Test("at a node that takes a page", arguments: [true, false])
    func page(isStored: Bool) async throws {
        let world = try await World()
        let member = World.Member(key: .generate(), engine: MemoryEngine())
        try await world.admit(member.key)
        let engine = UncertainEngine(member.engine)
        try world.start(member, on: engine)
        try await eventually("ready") { member.node.isReady }
        let pivot = try #require(world.pivot)
        try await world.settle([member])
        engine.failNext(isStored: isStored)
        for number in 0..<5 { try await set(pivot, "things/\(number)", "1") }
        try await eventually("it shows") { member.node.storageFault != nil }
        engine.mend()
        try await world.settle([member])
        #expect(try value(member.node, "things/4") == "1")
        #expect(member.node.storageFault == nil)
        world.stop(member)
    }

    @Test("a log that cannot be read is not taken for one that lacks something")
    func unreadableLog() async throws {
        let engine = UncertainEngine(MemoryEngine())
        let (root, key) = (SigningKey.generate(), SigningKey.generate())
        let space = SpaceID(words: root.author.words)
        let certificate = SignedPayload(
            signing: Certificate(space: space, pivot: key.author, serial: 1, issuedMilliseconds: 0).encoded, with: root)
        let pivot = try PivotSpace(space: space, engine: engine, signer: key, certificate: certificate)
        defer { pivot.close() }
        var settings = SpaceSettings()
        settings.patterns = [.everything]
        _ = try await pivot.write(.record(SpaceRecords.settingsPath, value: settings.json)).get()
        let cursor = pivot.place
        engine.failReads(true)
        #expect(throws: StoreError.self) { try pivot.standing(of: cursor) }
        let outcome = await withCheckedContinuation { continuation in
            pivot.push(cursor, []) { continuation.resume(returning: $0) }
        }
        #expect(failure(outcome) == .storageFailed)
        engine.failReads(false)
        if case .served = try pivot.standing(of: cursor) {} else { Issue.record("it is there") }
    }
}
