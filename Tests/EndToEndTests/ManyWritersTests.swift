import Foundation
import NIOHTTP1
import Testing

/// Many at once.
@Suite(.serialized, .cleansUp)
struct ManyWritersTests {
    @Test("10 nodes × 300 writes at once, keys of their own and the same keys: nothing lost, all equal at the end")
    func tenNodes() async throws {
        let fleet = try await Fleet(nodes: 10)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, node) in fleet.nodes.enumerated() {
                for worker in 0..<3 {
                    group.addTask {
                        for number in stride(from: worker, to: 150, by: 3) {
                            try await node.set("things/own-\(index)-\(number)", "\(number)")
                            try await node.set("things/shared-\(number % 10)", #"{"by":\#(index),"n":\#(number)}"#)
                        }
                    }
                }
            }
            for try await _ in group {}
        }
        try await fleet.settles()
        let lists = try await fleet.everyone.asyncMap { server in
            try await server.send(.GET, "/things/*", headers: ["Gimbal-Read": "local"]).body
        }
        #expect(Set(lists).count == 1)
        let items = try #require(try JSONSerialization.jsonObject(with: Data(lists[0].utf8)) as? [[String: Any]])
        let values = Dictionary(uniqueKeysWithValues: items.map { ($0["path"] as? String ?? "", $0["data"]) })
        #expect(values.count == 10 * 150 + 10)
        for index in 0..<10 {
            for number in 0..<150 { #expect(values["things/own-\(index)-\(number)"] as? Int == number) }
        }
    }

    @Test(
        "lesson 2: 32 connections write one key of a node for a minute while its pivot writes it too: no stall, no error",
        arguments: ["things/x", "settings"])
    func oneKey(path: String) async throws {
        let fleet = try await Fleet()
        // Both kinds of key, half of the minute each.
        let end = ContinuousClock.now + .seconds(30)
        let counts = try await withThrowingTaskGroup(of: [Int: Int].self) { group in
            for worker in 0..<33 {
                let server = worker == 32 ? fleet.pivot : fleet.nodes[0]
                group.addTask {
                    var number = 0
                    while ContinuousClock.now < end {
                        number += 1
                        // A request that stalls fails by its timeout.
                        try await server.set(path, #"{"by":\#(worker),"n":\#(number)}"#)
                        if number % 10 == 0 { #expect(try await server.send(.GET, "/\(path)").status == 200) }
                    }
                    return [worker: number]
                }
            }
            return try await group.reduce(into: [:]) { $0.merge($1) { $1 } }
        }
        #expect(counts.count == 33 && counts.allSatisfy { $0.value > 10 }, "\(counts)")
        let written = counts.filter { $0.key < 32 }.reduce(0) { $0 + $1.value }
        let metrics = try await fleet.nodes[0].send(.GET, "/metrics").body
        let counter = #"gimbal_http_requests_total{route="key",method="POST",code="200"} "#
        #expect(metrics.contains("\(counter)\(written)\n"), "whichever threads counted, none was lost: \(written) of \(metrics)")
        try await fleet.settles()
        let values = try await fleet.everyone.asyncMap { try await $0.local(path) }
        #expect(Set(values).count == 1)
        try await fleet.nodes[1].set(path, #""last""#)
        try await fleet.converges(path, to: #""last""#)
    }
}
