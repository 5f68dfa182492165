import Foundation
import NIOHTTP1
import Testing

/// Servers whose clocks are wrong.
@Suite(.serialized, .cleansUp)
struct ClockTests {
    private static let year: Int64 = 365 * 86_400_000

    /// A node of a fleet with a clock that is so many milliseconds ahead.
    private func node(_ fleet: Fleet, _ name: String, ahead: Int64) async throws -> Server {
        let file = "\(fleet.folder)/\(name).json"
        try Data("{\"wallOffsetMilliseconds\": \(ahead)}".utf8).write(to: URL(fileURLWithPath: file))
        let node = Server(
            "node", name: name, folder: "\(fleet.folder)/\(name)", arguments: ["--pivot", fleet.pivot.url, "--config", file])
        try await node.start()
        try await eventually("\(name) is ready") { await node.isReady() }
        return node
    }

    @Test(
        "lesson 4: a node a year ahead wins nothing for long, one in 1970 loses nothing; both are shown",
        arguments: ["things/x", "settings"])
    func wrongClocks(path: String) async throws {
        let fleet = try await Fleet(nodes: 1)
        let ahead = try await node(fleet, "ahead", ahead: Self.year)
        let behind = try await node(fleet, "behind", ahead: -Int64(Date().timeIntervalSince1970 * 1000))
        let everyone = fleet.everyone + [ahead, behind]
        func converges(to value: String) async throws {
            for server in everyone {
                try await eventually("\(server.name) holds \(value)") { try await server.local(path) == value }
            }
        }
        try await ahead.set(path, #""from the future""#)
        try await converges(to: #""from the future""#)
        // Whoever has seen it can overwrite it at once, with whatever clock.
        for (number, server) in (everyone + everyone).enumerated() {
            try await server.set(path, "\(number)")
            try await converges(to: "\(number)")
        }
        try await behind.delete(path)
        for server in everyone { try await eventually("it is gone at \(server.name)") { try await server.local(path) == nil } }
        // Before the epoch there is no time: such a clock stands still, and stamps go on.
        for number in 0..<5 { try await behind.set("things/old-\(number)", "\(number)") }
        try await eventually("they arrive") { try await fleet.pivot.local("things/old-4") == "4" }

        try await eventually("the pivot shows both") {
            let reply = try await fleet.pivot.send(.GET, "/_pivot/health/nodes").body
            let nodes = try JSONSerialization.jsonObject(with: Data(reply.utf8)) as? [[String: Any]] ?? []
            let skews = nodes.compactMap { $0["clockSkewMilliseconds"] as? Int64 }
            return skews.contains { $0 > Self.year - 60_000 } && skews.contains { $0 < -Self.year }
        }
        let offset = try #require(try await ahead.status()["pivotClockOffsetMilliseconds"] as? Int64)
        #expect(abs(offset + Self.year) < 60_000)
        #expect(try fleet.pivot.log().matches(of: /a node's clock is ahead/).count == 1)
        let explained = try Binaries.run("gimbal", ["explain", fleet.pivot.url, path])
        #expect(explained.output.contains("capped: its writer said") && explained.output.contains("ms ahead of the pivot's"))
    }

    @Test("a pivot that starts a year back goes on in its own time, and its nodes lose nothing")
    func pivotBack() async throws {
        let fleet = try await Fleet(nodes: 1)
        try await fleet.nodes[0].set("settings", "1")
        try await fleet.settles()
        fleet.pivot.stop()
        let file = "\(fleet.folder)/back.json"
        try Data("{\"wallOffsetMilliseconds\": \(-Self.year)}".utf8).write(to: URL(fileURLWithPath: file))
        try await fleet.pivot.start(with: ["--config", file])
        for number in 2..<10 {
            try await fleet.everyone[number % 2].set("settings", "\(number)")
            try await fleet.converges("settings", to: "\(number)")
        }
        try await fleet.settles()
    }
}
