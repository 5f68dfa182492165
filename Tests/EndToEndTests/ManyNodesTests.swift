import Foundation
import NIOHTTP1
import Testing

/// Nodes that fail all the time cost themselves alone. The large version of this is row 8 of the benchmarks.
@Suite(.serialized, .cleansUp)
struct ManyNodesTests {
    @Test("ten small nodes beside one that hangs without reading and one that dies again and again: all of them converge")
    func failingNodes() async throws {
        let fleet = try await Fleet(nodes: 0, patterns: ["things/*"])
        var nodes: [Server] = []
        for number in 0..<12 {
            let node = Server(
                "node", name: "node \(number)", folder: "\(fleet.folder)/node\(number)",
                arguments: ["--profile", "small", "--pivot", fleet.pivot.url])
            try await node.start()
            nodes.append(node)
        }
        for node in nodes { try await eventually("\(node.name) is ready") { await node.isReady() } }
        let (hanging, dying, healthy) = (nodes[0], nodes[1], nodes[2...])
        hanging.signal(SIGSTOP)
        // More than all buffers between the pivot and the node that does not read.
        let value = "\"\(String(repeating: "x", count: 32_000))\""
        for round in 0..<6 {
            dying.kill()
            for number in 0..<50 {
                let writer = number % 10 == 0 ? nodes[2 + round] : fleet.pivot
                try await writer.set("things/\(number)", value)
            }
            try await dying.start()
        }
        try await fleet.pivot.set("things/last", "1")
        for node in healthy {
            try await eventually("\(node.name) has the last write") { try await node.local("things/last") == "1" }
        }
        hanging.signal(SIGCONT)
        for node in [hanging, dying] {
            try await eventually("\(node.name) catches up") { try await node.local("things/last") == "1" }
        }
        try await eventually("all are one") {
            var digests: Set<String> = []
            for server in nodes + [fleet.pivot] { digests.insert(try await server.status()["stateDigest"] as? String ?? "") }
            return digests.count == 1
        }
    }
}
