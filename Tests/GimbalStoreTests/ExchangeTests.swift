import Dispatch
import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalStore
import GimbalWire
import Laws
import Synchronization
import Testing

/// The exchange of pivot and nodes under everything that goes wrong, with the real stores.
struct ExchangeTests {
    @Test("pages that wait together are one commit, receipts and foreign writes of one key among them")
    func pagesThatWait() async throws {
        let world = try await World()
        let (first, second) = (try await world.join(), try await world.join())
        let pivot = try #require(world.pivot)
        for round in 0..<5 {
            // The writer of the first node stands still while the log grows commit by commit.
            let gate = DispatchSemaphore(value: 0)
            first.node.submit(.set(try path("things/gate"), value: Array("\(round)".utf8))) { _ in gate.wait() }
            for number in 0..<12 {
                try await set(number.isMultiple(of: 2) ? pivot : second.node, "things/shared", "\(number)")
                try await set(pivot, "things/\(number)", "\(round)")
                try await Task.sleep(for: .milliseconds(3))
            }
            gate.signal()
            try await set(first.node, "things/shared", #""round \#(round)""#)
        }
        try await world.settle([first, second])
        for store in [first.node, second.node, pivot] as [any SpaceStore] {
            #expect(try value(store, "things/shared") == #""round 4""#)
            #expect(try value(store, "things/11") == "4")
        }
        #expect(first.link.withLock { $0 }?.faults.withLock { $0 } == [])
        for member in [first, second] { world.stop(member) }
        world.closePivot()
    }

    @Test("random writes, lost messages and restarts: nothing acknowledged is lost, one state in the end", arguments: 0..<12)
    func randomHistories(seed: Int) async throws {
        var random = SeededRandom(seed: UInt64(seed))
        let world = try await World()
        var members: [World.Member] = []
        for _ in 0..<3 { members.append(try await world.join(loss: seed.isMultiple(of: 3) ? 0 : 0.2)) }
        var acknowledged: [String: String] = [:]
        for number in 0..<120 {
            let member = members[Int.random(in: 0..<3, using: &random)]
            switch Int.random(in: 0..<20, using: &random) {
            case 0:
                world.stop(member)
                try world.start(member, loss: 0.2)
            case 1:
                world.closePivot()
                try await Task.sleep(for: .milliseconds(Int.random(in: 0..<4, using: &random)))
                try world.openPivot()
            case 2..<8:
                let path = "things/\(number)"
                try await set(member.node, path, "\(number)")
                acknowledged[path] = "\(number)"
            case 8..<12:
                _ = await member.node.write(.delete(try path("things/shared")))
            default:
                let shared = Bool.random(using: &random) ? "things/shared" : "settings"
                let atPivot: (any SpaceStore)? = Bool.random(using: &random) ? world.pivot : nil
                try await set(atPivot ?? member.node, shared, "\(number)")
            }
        }
        try await world.settle(members)
        for (path, expected) in acknowledged {
            let pivot = try #require(world.pivot)
            let stores: [any SpaceStore] = members.map(\.node) + [pivot]
            for store in stores {
                #expect(try value(store, path) == expected, "seed \(seed): \(path)")
            }
        }
        let values = try members.map { try value($0.node, "things/shared") }
        #expect(Set(values).count == 1, "seed \(seed)")
        for member in members { world.stop(member) }
    }

    @Test("lesson 27: a copied folder, both copies with unsent writes: nothing is lost")
    func clone() async throws {
        let world = try await World()
        let original = try await world.join()
        try await set(original.node, "things/before", "0")
        try await world.settle([original])
        world.closePivot()
        try await set(original.node, "things/both", "1")
        world.stop(original)
        let clone = World.Member(key: original.key, engine: try original.engine.copied())
        try world.start(original)
        try world.start(clone)
        try await set(original.node, "things/original", "2")
        try await set(clone.node, "things/clone", "3")
        try world.openPivot()
        try await world.settle([original, clone])
        let pivot = try #require(world.pivot)
        for (path, expected) in [("before", "0"), ("both", "1"), ("original", "2"), ("clone", "3")] {
            for store in [original.node as any SpaceStore, clone.node, pivot] {
                #expect(try value(store, "things/\(path)") == expected, "\(path)")
            }
        }
        #expect(original.node.replica != clone.node.replica)
        world.stop(original)
        world.stop(clone)
    }

    @Test("a folder rolled back to an old backup writes on under a new incarnation, and nothing is lost")
    func rollback() async throws {
        let world = try await World()
        let member = try await world.join()
        try await set(member.node, "things/1", "1")
        try await world.settle([member])
        let backup = try member.engine.copied()
        try await set(member.node, "things/2", "2")
        try await world.settle([member])
        let before = member.node.replica
        world.stop(member)
        let restored = World.Member(key: member.key, engine: backup)
        try world.start(restored)
        try await set(restored.node, "things/3", "3")
        try await world.settle([restored])
        #expect(restored.node.replica != before)
        let pivot = try #require(world.pivot)
        for number in 1...3 {
            #expect(try value(restored.node, "things/\(number)") == "\(number)")
            #expect(try value(pivot, "things/\(number)") == "\(number)")
        }
        world.stop(restored)
    }

    @Test("lesson 24: a refused operation goes to the dead letters and nothing behind it waits")
    func deadLetters() async throws {
        let world = try await World()
        let member = try await world.join()
        world.closePivot()
        try await set(member.node, "things/large", "\"\(String(repeating: "x", count: 500))\"")
        try await set(member.node, "things/small", "1")
        try world.openPivot()
        var settings = try #require(world.pivot).records.settings
        world.stop(member)
        settings.limits.valueBytes = 100
        try await world.write(settings)
        try world.start(member)
        try await world.settle([member])
        let pivot = try #require(world.pivot)
        #expect(try value(pivot, "things/small") == "1")
        #expect(try value(member.node, "things/large") == nil)
        let letters = try member.node.deadLetters()
        #expect(letters.map(\.operation.path.description) == ["things/large"])
        #expect(letters.map(\.reason) == ["too-large"])
        world.stop(member)
    }

    @Test("lessons 4 and 32: a clock a year ahead or at 1970 wins nothing for long; who has seen a value overwrites it")
    func wrongClocks() async throws {
        let world = try await World()
        let year: Int64 = 365 * 86_400_000
        let ahead = try await world.join(wallOffset: year)
        let behind = try await world.join(wallOffset: -56 * year)
        try await set(ahead.node, "settings", "1")
        try await world.settle([ahead, behind])
        try await set(behind.node, "settings", "2")
        try await world.settle([ahead, behind])
        let pivot = try #require(world.pivot)
        for store in [ahead.node as any SpaceStore, behind.node, pivot] {
            #expect(try value(store, "settings") == "2")
        }
        try await set(pivot, "settings", "3")
        try await world.settle([ahead, behind])
        #expect(try value(ahead.node, "settings") == "3")
        let entry = try #require(try pivot.visible(path("settings")))
        #expect(entry.write.stamp.milliseconds < HybridTimestamp(milliseconds: UInt64(year) * 57).milliseconds)
        world.stop(ahead)
        world.stop(behind)
    }

    @Test("lesson 26: a pivot that lost what it acknowledged is noticed, and the node wipes nothing")
    func lostPivot() async throws {
        let world = try await World()
        let member = try await world.join()
        let backup = try world.pivotEngine.copied()
        try await set(member.node, "things/1", "1")
        try await world.settle([member])
        world.stop(member)
        let restored = try PivotSpace(
            space: SpaceID(words: world.root.author.words), engine: backup, signer: world.pivotKey,
            certificate: try #require(world.pivot).certificate)
        _ = try await restored.write(.set(try path("settings"), value: Array("9".utf8))).get()
        try world.start(member)
        #expect(try !restored.contains(member.node.cursor))
        #expect(try value(member.node, "things/1") == "1")
        world.stop(member)
        restored.close()
    }
}
