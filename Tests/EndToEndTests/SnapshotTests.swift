import Foundation
import NIOHTTP1
import Testing

/// Real servers whose logs are pruned early: who falls behind takes a snapshot.
@Suite(.serialized, .cleansUp)
struct SnapshotTests {
    /// Ten entries stay whole, nobody holds the horizon, and everything travels in small pieces.
    private static let short = [
        "GIMBAL_LOG_KEPT_ENTRIES": "10", "GIMBAL_LOG_MOST_ENTRIES": "10", "GIMBAL_LIVE_NODE_SECONDS": "0",
        "GIMBAL_RETENTION_INTERVAL_MILLISECONDS": "20", "GIMBAL_SNAPSHOT_KEPT_SECONDS": "5",
        "GIMBAL_SNAPSHOT_CHUNK_KILOBYTES": "64", "GIMBAL_SNAPSHOT_FRAME_KILOBYTES": "4",
    ]

    private func log(of server: Server) async throws -> [String: Any] {
        try #require(try await server.status()["log"] as? [String: Any])
    }

    private func phase(of server: Server) async throws -> String? {
        (try await server.status()["snapshot"] as? [String: Any])?["phase"] as? String
    }

    /// Waits until the pivot's log goes back no further than its newest entries.
    private func pruned(_ pivot: Server) async throws {
        try await eventually("the horizon rises to the newest entries") {
            let horizon = try await log(of: pivot)["horizon"] as? Int ?? 0
            return horizon + 10 > (try await pivot.status()["position"] as? Int ?? .max)
        }
    }

    private func said(_ server: Server) throws -> String { try String(contentsOfFile: "\(server.folder).log", encoding: .utf8) }

    /// Some at a time, so that many share a commit.
    private func load(_ server: Server, _ range: Range<Int>, _ value: @escaping @Sendable (Int) -> String) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<16 {
                group.addTask {
                    for number in range where number % 16 == worker { try await server.set("things/\(number)", value(number)) }
                }
            }
            try await group.waitForAll()
        }
    }

    @Test("lesson 28: back after the horizon: nothing deleted comes back, nothing written here is lost, and all is provable")
    func longAway() async throws {
        let fleet = try await Fleet(nodes: 1, environment: Self.short)
        let (pivot, node) = (fleet.pivot, fleet.nodes[0])
        for number in 0..<6 { try await pivot.set("things/\(number)", "\(number)") }
        try await fleet.settles()
        pivot.stop()
        try await node.set("things/0", #""mine""#)
        try await node.set("things/own", #""own""#)
        node.stop()
        try await pivot.start()
        try await pivot.delete("things/1")
        try await pivot.delete("things/2")
        for number in 0..<40 { try await pivot.set("settings", "\(number)") }
        try await pruned(pivot)
        try await node.start()
        try await fleet.settles()
        #expect(try said(node).contains("snapshot installed"))
        for (path, value) in [
            ("0", #""mine""#), ("1", nil), ("2", nil), ("3", "3"), ("own", #""own""#),
        ] as [(String, String?)] {
            try await fleet.converges("things/\(path)", to: value)
        }
        #expect(try await node.status()["deadLetters"] as? Int == 0)
        try await eventually("proofs are checked") { try await phase(of: node) == "proven" }
        for server in fleet.everyone {
            let file = "\(server.folder).bundle"
            let export = try Binaries.run("gimbal", ["export", server.url, "--output", file])
            #expect(export.status == 0, "\(export.errors)")
            let report = try Binaries.run("gimbal", ["verify", file])
            #expect(report.status == 0, "\(server.name): \(report.output)")
        }
        let status = try Binaries.run("gimbal", ["status", pivot.url]).output
        #expect(status.contains("the horizon"))
    }

    @Test("a node that is killed while it takes its snapshot shows nothing of it, and goes on")
    func killedWhileStaging() async throws {
        let fleet = try await Fleet(nodes: 0, environment: Self.short)
        let pivot = fleet.pivot
        let filling = String(repeating: "x", count: 1500)
        try await load(pivot, 0..<1200) { "\"\($0)-\(filling)\"" }
        try await pruned(pivot)
        let node = Server(
            "node", name: "node", folder: "\(fleet.folder)/node", arguments: ["--pivot", pivot.url], environment: Self.short)
        for round in 0..<8 {
            try await node.start()
            try await Task.sleep(for: .milliseconds(Int.random(in: 0...(40 * (round + 1)))))
            if await !node.isReady() {
                // Not before all of it is there.
                let reply = try await node.send(.GET, "/things/7", headers: ["Gimbal-Read": "local"])
                #expect(reply.status == 503 || reply.status == 200)
            }
            node.kill()
        }
        try await node.start()
        try await eventually("the node is ready") { await node.isReady() }
        try await eventually("one state") {
            let digests = [try await node.status()["stateDigest"] as? String, try await pivot.status()["stateDigest"] as? String]
            return digests[0] == digests[1]
        }
        #expect(try await node.local("things/7") == "\"7-\(filling)\"")
        try await eventually("proofs are checked") { try await phase(of: node) == "proven" }
    }

    @Test("two nodes take one snapshot at once while the pivot is written to")
    func twoAtOnce() async throws {
        let fleet = try await Fleet(nodes: 0, environment: Self.short)
        let pivot = fleet.pivot
        try await load(pivot, 0..<600) { "\($0)" }
        try await pruned(pivot)
        let nodes = (0..<2).map {
            Server(
                "node", name: "node \($0)", folder: "\(fleet.folder)/node\($0)", arguments: ["--pivot", pivot.url],
                environment: Self.short)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for node in nodes { group.addTask { try await node.start() } }
            group.addTask { try await load(pivot, 300..<900) { "\($0 * 2)" } }
            group.addTask { for number in 0..<50 { try await pivot.delete("things/\(number)") } }
            try await group.waitForAll()
        }
        try await eventually("one state") {
            var digests: Set<String> = []
            for server in nodes + [pivot] { digests.insert(try await server.status()["stateDigest"] as? String ?? "") }
            return digests.count == 1
        }
        for node in nodes {
            #expect(try said(node).contains("snapshot installed"))
            #expect(try await node.local("things/7") == nil)
            #expect(try await node.local("things/100") == "100")
            #expect(try await node.local("things/700") == "1400")
        }
    }
}
