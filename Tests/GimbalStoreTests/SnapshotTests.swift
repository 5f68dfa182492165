import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalStorage
import GimbalStore
import GimbalWire
import Laws
import Synchronization
import Testing

/// A log that is pruned early, and nodes that fall behind it. One after the other: each has many threads.
@Suite(.serialized)
struct SnapshotTests {
    private func snapshots(of member: World.Member) -> Int {
        member.link.withLock { $0?.snapshotCount.withLock { $0 } } ?? 0
    }

    /// It is counted a moment after it is seen.
    private func took(oneSnapshot member: World.Member) async throws {
        try await eventually("one snapshot") { snapshots(of: member) == 1 }
    }

    @Test("random writes, restarts, lost messages, and a horizon that rises all the time", arguments: 0..<10)
    func randomHistories(seed: Int) async throws {
        var random = SeededRandom(seed: UInt64(seed))
        let world = try await World(retention: .shortest)
        let loss = seed.isMultiple(of: 2) ? 0.05 : 0
        var members: [World.Member] = []
        for _ in 0..<3 { members.append(try await world.join(loss: loss)) }
        var acknowledged: [String: String] = [:]
        var stopped: Set<Int> = []
        for number in 0..<200 {
            let index = Int.random(in: 0..<3, using: &random)
            let member = members[index]
            switch Int.random(in: 0..<16, using: &random) {
            case 0:
                if stopped.remove(index) != nil {
                    try world.start(member, loss: loss)
                } else {
                    world.stop(member)
                    stopped.insert(index)
                }
            case 1:
                world.closePivot()
                try await Task.sleep(for: .milliseconds(Int.random(in: 0..<4, using: &random)))
                try world.openPivot()
            case 2: try await Task.sleep(for: .milliseconds(Int.random(in: 0..<10, using: &random)))
            case 3..<8 where !stopped.contains(index) && member.node.isReady:
                let path = "things/\(number)"
                try await set(member.node, path, "\(number)")
                acknowledged[path] = "\(number)"
            case 8..<10 where !stopped.contains(index):
                _ = await member.node.write(.delete(try path("things/shared")))
            default:
                let shared = Bool.random(using: &random) ? "things/shared" : "settings"
                let atNode = Bool.random(using: &random) && !stopped.contains(index) && member.node.isReady
                let atPivot: (any SpaceStore)? = atNode ? member.node : world.pivot
                if let store = atPivot { try await set(store, shared, "\(number)") }
            }
        }
        for index in stopped { try world.start(members[index]) }
        try await world.settle(members)
        defer { for member in members { world.stop(member) } }
        let pivot = try #require(world.pivot)
        let stores: [any SpaceStore] = members.map(\.node) + [pivot]
        for (path, expected) in acknowledged {
            for store in stores { #expect(try value(store, path) == expected, "seed \(seed): \(path)") }
        }
        #expect(Set(try stores.map { try value($0, "things/shared") }).count == 1, "seed \(seed)")
        try await world.prune()
        try await verifies(world, members, acknowledged)
    }

    /// Everything that lives is proven, by the pivot and by every node, whatever was pruned.
    private func verifies(_ world: World, _ members: [World.Member], _ expected: [String: String]) async throws {
        let pivot = try #require(world.pivot)
        for member in members {
            try await eventually("proofs are checked") { member.node.proofStatus?.state != .pending }
            #expect(member.node.proofStatus.map { $0.state == .verified } ?? true, "\(member.node.proofStatus as Any)")
            member.node.remember(certificate: pivot.certificate)
        }
        for export in [try pivot.export()] + (try members.map { try $0.node.export() }) {
            let (report, values) = verify(try file(export), space: pivot.space)
            #expect(report.isValid, "\(report.findings)")
            for (path, value) in expected { #expect(values[path] == value) }
        }
    }

    @Test("lesson 28: a node below the horizon takes the snapshot: what was deleted stays deleted, what it wrote stays")
    func longAway() async throws {
        let world = try await World(retention: .shortest)
        let member = try await world.join()
        let pivot = try #require(world.pivot)
        for number in 0..<5 { try await set(pivot, "things/\(number)", "\(number)") }
        try await world.settle([member])
        let before = snapshots(of: member)
        world.stop(member)
        let away = World.Member(key: member.key, engine: member.engine)
        _ = try await pivot.write(.delete(try path("things/1"))).get()
        for number in 0..<30 { try await set(pivot, "settings", "\(number)") }
        try await world.prune()
        world.closePivot()
        try world.start(away)
        try await set(away.node, "things/0", #""mine""#)
        try await set(away.node, "things/new", "1")
        _ = try await away.node.write(.delete(try path("things/2"))).get()
        try world.openPivot()
        try await world.settle([away])
        try await took(oneSnapshot: away)
        #expect(before <= 1)
        for store in [away.node as any SpaceStore, try #require(world.pivot)] {
            #expect(try value(store, "things/0") == #""mine""#)
            #expect(try value(store, "things/1") == nil)
            #expect(try value(store, "things/2") == nil)
            #expect(try value(store, "things/3") == "3")
            #expect(try value(store, "things/new") == "1")
            #expect(try value(store, "settings") == "29")
        }
        #expect(try away.node.deadLetters().isEmpty)
        world.stop(away)
    }

    @Test("own operations that a snapshot covers leave the outbox: a header sealed here ends at its head")
    func coveredBySnapshot() async throws {
        let world = try await World(retention: .shortest)
        let member = try await world.join()
        try await set(member.node, "things/a", "1")
        try await world.settle([member])
        // Its writes arrive, and it learns nothing of it.
        let backup = try await writtenButUnknown(world, member)
        let restored = World.Member(key: member.key, engine: backup)
        try world.start(restored)
        let replica = restored.node.replica
        try await set(restored.node, "things/d", "4")
        #expect(restored.node.outboxCount == 2)
        try world.openPivot()
        try await world.settle([restored])
        try await took(oneSnapshot: restored)
        #expect(restored.node.replica == replica)
        #expect(try restored.node.deadLetters().isEmpty)
        #expect(try value(restored.node, "things/c") == "3")
        #expect(try value(try #require(world.pivot), "things/d") == "4")
        world.stop(restored)
    }

    /// The node's folder from before its writes' receipts came, the pivot's log being pruned since.
    private func writtenButUnknown(_ world: World, _ member: World.Member) async throws -> MemoryEngine {
        world.closePivot()
        try await set(member.node, "things/c", "3")
        let backup = try member.engine.copied()
        try world.openPivot()
        try await world.settle([member])
        world.stop(member)
        let pivot = try #require(world.pivot)
        for number in 0..<30 { try await set(pivot, "settings", "\(number)") }
        try await world.prune()
        world.closePivot()
        return backup
    }

    @Test("what nobody can say whether it was accepted goes to the dead letters, the rest under a new incarnation")
    func unknownFate() async throws {
        let world = try await World(retention: .shortest)
        let member = try await world.join()
        try await set(member.node, "things/a", "1")
        try await world.settle([member])
        let backup = try await clonedAndWritten(world, member)
        let restored = World.Member(key: member.key, engine: backup)
        try world.start(restored)
        let replica = restored.node.replica
        try await set(restored.node, "things/spoiled", "8")
        try await set(restored.node, "things/later", "9")
        try world.openPivot()
        try await world.settle([restored])
        try await took(oneSnapshot: restored)
        #expect(restored.node.replica != replica)
        let letters = try restored.node.deadLetters()
        #expect(letters.map(\.reason) == [DeadLetter.unknownFate, DeadLetter.unknownFate])
        #expect(letters.map(\.operation.path.description) == ["things/gone", "things/spoiled"])
        let pivot = try #require(world.pivot)
        for store in [restored.node as any SpaceStore, pivot] {
            #expect(try value(store, "things/kept") == "1", "live in the snapshot: accepted")
            #expect(try value(store, "things/other") == "5")
            #expect(try value(store, "things/later") == "9")
        }
        world.stop(restored)
    }

    /// The folder with two unsent writes is copied; the original writes on, so that the copy has no header at the head.
    private func clonedAndWritten(_ world: World, _ member: World.Member) async throws -> MemoryEngine {
        world.closePivot()
        try await set(member.node, "things/kept", "1")
        try await set(member.node, "things/gone", "1")
        let backup = try member.engine.copied()
        try world.openPivot()
        try await world.settle([member])
        let pivot = try #require(world.pivot)
        _ = try await pivot.write(.delete(try path("things/gone"))).get()
        try await set(member.node, "things/other", "5")
        try await world.settle([member])
        world.stop(member)
        for number in 0..<30 { try await set(pivot, "settings", "\(number)") }
        try await world.prune()
        world.closePivot()
        return backup
    }

    @Test("a cut in the middle goes on where it was; what was staged is not sent again")
    func resumes() async throws {
        let world = try await World(retention: .shortest)
        let pivot = try #require(world.pivot)
        for number in 0..<60 { try await set(pivot, "things/\(number)", "\"\(String(repeating: "x", count: 100))\"") }
        try await world.prune()
        let key = SigningKey.generate()
        try await world.admit(key)
        try await world.prune()
        let engine = MemoryEngine()
        let frames = try pivot.snapshotFrames().count
        var taken = 0
        for round in 0..<3 {
            let node = try NodeSpace(
                space: pivot.space, engine: UnclosedEngine(engine), signer: key, options: world.options(0))
            node.deliver(.joined(place: pivot.place))
            let intake = try SnapshotIntake(node, from: world.pivotKey.author)
            let (source, first) = try #require(try pivot.snapshot(try await intake.place))
            var reader = first
            var isCut = false
            while let frame = try reader.next() {
                // The last life goes to the end; the others end after a third, without a word.
                if round < 2, taken > frames * (round + 1) / 3 {
                    isCut = true
                    break
                }
                taken += 1
                try await intake.take(frame)
            }
            pivot.release(source)
            if !isCut { #expect(try await intake.finish()) }
            #expect(node.isReady == !isCut)
            if isCut { #expect(try value(node, "things/1") == nil, "half a snapshot is not seen") }
            #expect(try node.scanCount() == (isCut ? 0 : 60))
            // As a crash: what is not in the engine is gone.
            node.close()
        }
        // What was decoded but not staged when it was cut is sent twice.
        #expect(taken < frames + 2 * 8 && taken >= frames, "\(taken) frames of \(frames)")
    }

    @Test("a flipped byte is refused and changes nothing", arguments: 0..<24)
    func flippedByte(seed: Int) async throws {
        var random = SeededRandom(seed: UInt64(seed))
        let world = try await World(retention: .shortest)
        let pivot = try #require(world.pivot)
        for number in 0..<20 { try await set(pivot, "things/\(number % 12)", "\(number)") }
        try await set(pivot, "settings", "1")
        try await world.prune()
        let node = try NodeSpace(
            space: pivot.space, engine: MemoryEngine(), signer: SigningKey.generate(), options: world.options(0))
        let intake = try SnapshotIntake(node, from: world.pivotKey.author)
        var frames = try pivot.snapshotFrames()
        // Signatures are checked afterwards, with the proofs.
        let frame = Int.random(in: 0..<frames.count, using: &random)
        let place = Int.random(in: 0..<frames[frame].count, using: &random)
        frames[frame][place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        var isRefused = false
        do {
            for frame in frames { try await intake.take(frame) }
            isRefused = try await !intake.finish()
        } catch is WireError {
            isRefused = true
        }
        if isRefused {
            #expect(node.cursor == .start)
            #expect(try node.scanCount() == 0)
            #expect(try node.engine.stagedView().last(.state, below: [0xff]) == nil)
        } else {
            try await eventually("proofs are checked") { node.proofStatus?.state != .pending }
            #expect(node.proofStatus?.state != .verified, "frame \(frame), byte \(place)")
            if case .failed = node.proofStatus?.state { #expect(node.proofFault?.code == "unproven") }
        }
        node.close()
    }

    @Test("a stretch of the log without entries is refused: its proofs could never be read", arguments: [0, UInt64.max])
    func impossibleSubtree(leaves: UInt64) async throws {
        let world = try await World(retention: .shortest)
        let pivot = try #require(world.pivot)
        for number in 0..<20 { try await set(pivot, "settings", "\(number)") }
        let node = try NodeSpace(
            space: pivot.space, engine: MemoryEngine(), signer: SigningKey.generate(), options: world.options(0))
        defer { node.close() }
        let intake = try SnapshotIntake(node, from: world.pivotKey.author)
        var writer = CBORWriter()
        var reader = CBORReader(try pivot.snapshotFrames().flatMap { $0 })
        var changed = 0
        while !reader.isAtEnd {
            var item = try SnapshotItem(from: &reader, isFirst: writer.bytes.isEmpty)
            if case .subtree(let tree, var subtree) = item {
                subtree.leaves = leaves
                item = .subtree(tree: tree, subtree)
                changed += 1
            }
            item.encode(into: &writer)
        }
        #expect(changed > 0)
        let bytes = writer.bytes
        await #expect(throws: WireError.self) {
            try await intake.take(bytes)
            _ = try await intake.finish()
        }
        #expect(node.cursor == .start)
    }

    @Test("proofs of what has died are dropped in the end, and the log stays provable")
    func sweeps() async throws {
        var options = RetentionOptions.shortest
        options.entriesPerStep = 7
        let world = try await World(retention: options)
        let pivot = try #require(world.pivot)
        for number in 0..<300 { try await set(pivot, "things/\(number % 10)", "\(number)") }
        try await eventually("few proofs are left") { pivot.retentionStatus.retained < 120 }
        let (report, values) = verify(try file(pivot.export()), space: pivot.space)
        #expect(report.isValid, "\(report.findings)")
        #expect(values["things/3"] == "293")
    }
}

extension NodeSpace {
    fileprivate func scanCount() throws -> Int {
        var count = 0
        try scan(try #require(Pattern("things/*")), after: nil) { _ in
            count += 1
            return true
        }
        return count
    }
}
