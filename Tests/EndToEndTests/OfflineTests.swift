import NIOHTTP1
import Testing

/// What happens when servers cannot reach each other, and when they write the same key.
@Suite(.serialized, .cleansUp)
struct OfflineTests {
    @Test("lessons 1 and 3: a node that is away while both sides write comes back and nothing is lost")
    func nodeAway() async throws {
        let fleet = try await Fleet()
        try await fleet.pivot.set("things/before", "1")
        try await fleet.converges("things/before", to: "1")
        fleet.nodes[0].stop()
        try await fleet.pivot.set("things/at-pivot", "2")
        try await fleet.nodes[1].set("things/at-other", "3")
        try await fleet.pivot.delete("things/before")
        try await fleet.nodes[0].start()
        try await fleet.nodes[0].set("things/at-node", "4")
        try await fleet.converges("things/at-pivot", to: "2")
        try await fleet.converges("things/at-other", to: "3")
        try await fleet.converges("things/at-node", to: "4")
        try await fleet.converges("things/before", to: nil)
        try await fleet.settles()
    }

    @Test("the pivot is away while nodes write, delete and restart")
    func pivotAway() async throws {
        let fleet = try await Fleet()
        try await fleet.nodes[0].set("things/old", "0")
        try await fleet.converges("things/old", to: "0")
        fleet.pivot.kill()
        for number in 0..<50 { try await fleet.nodes[0].set("things/n\(number)", "\(number)") }
        try await fleet.nodes[0].delete("things/old")
        try await fleet.nodes[1].set("settings", #"{"by":1}"#)
        fleet.nodes[0].kill()
        try await fleet.nodes[0].start()
        #expect(try await fleet.nodes[0].local("things/n49") == "49")
        #expect(try await fleet.nodes[0].local("things/old") == nil)
        try await fleet.nodes[0].set("things/after", "true")
        try await fleet.pivot.start()
        for number in [0, 25, 49] { try await fleet.converges("things/n\(number)", to: "\(number)") }
        try await fleet.converges("things/after", to: "true")
        try await fleet.converges("things/old", to: nil)
        try await fleet.converges("settings", to: #"{"by":1}"#)
        try await fleet.settles()
    }

    @Test("lesson 5: an update against a delete of the same member, far from each other: the update stays, everywhere")
    func addWins() async throws {
        let fleet = try await Fleet()
        try await fleet.pivot.set("things/x", "0")
        try await fleet.converges("things/x", to: "0")
        fleet.pivot.kill()
        try await fleet.nodes[0].delete("things/x")
        try await fleet.nodes[1].set("things/x", "1")
        try await fleet.pivot.start()
        try await fleet.converges("things/x", to: "1")
        try await fleet.settles()
    }

    @Test("two nodes change one key apart: the later write wins, the same on all three", arguments: ["things/x", "settings"])
    func concurrentSets(path: String) async throws {
        let fleet = try await Fleet()
        fleet.pivot.kill()
        try await fleet.nodes[1].set(path, #""first""#)
        try await fleet.nodes[0].set(path, #""second""#)
        try await fleet.pivot.start()
        try await fleet.converges(path, to: #""second""#)
        try await fleet.settles()
    }

    @Test("node and pivot change one key at once, again and again: one state in the end", arguments: ["things/x", "settings"])
    func nodeAgainstPivot(path: String) async throws {
        let fleet = try await Fleet()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for server in fleet.everyone {
                group.addTask {
                    for number in 0..<60 {
                        if number % 7 == 3 {
                            _ = try await server.send(.DELETE, "/\(path)")
                        } else {
                            try await server.set(path, "\(number)")
                        }
                    }
                }
            }
            for try await _ in group {}
        }
        try await fleet.settles()
        let values = try await fleet.everyone.asyncMap { try await $0.local(path) }
        #expect(Set(values).count == 1)
    }
}
