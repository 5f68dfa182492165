import Foundation
import Synchronization
import NIOHTTP1
import Testing

/// kill -9 in the middle of everything: what was acknowledged is there.
@Suite(.serialized, .cleansUp)
struct CrashTests {
    /// Writes as fast as it can to one server and remembers what was acknowledged.
    final class Load: Sendable {
        private let acknowledged = Mutex<[String: Int]>([:])
        private let isStopped = Mutex(false)

        var paths: [String: Int] { acknowledged.withLock { $0 } }
        func stop() { isStopped.withLock { $0 = true } }

        func run(_ server: Server, _ name: String) async {
            var number = 0
            while !isStopped.withLock({ $0 }) {
                number += 1
                let path = "things/\(name)-\(number)"
                let reply = try? await server.send(.POST, "/\(path)", "\(number)")
                if reply?.status == 200 {
                    acknowledged.withLock { $0[path] = number }
                } else {
                    try? await Task.sleep(for: .milliseconds(5))
                }
            }
        }
    }

    @Test("no acknowledged write is lost when the pivot or a node is killed under load", arguments: [true, false])
    func killUnderLoad(isPivotKilled: Bool) async throws {
        let fleet = try await Fleet()
        let load = Load()
        let victim = isPivotKilled ? fleet.pivot : fleet.nodes[0]
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, server) in fleet.everyone.enumerated() {
                for worker in 0..<4 { group.addTask { await load.run(server, "\(index)-\(worker)") } }
            }
            for _ in 0..<6 {
                try await Task.sleep(for: .milliseconds(Int.random(in: 100...500)))
                victim.kill()
                try await Task.sleep(for: .milliseconds(Int.random(in: 0...200)))
                try await victim.start()
            }
            try await Task.sleep(for: .milliseconds(300))
            load.stop()
            for try await _ in group {}
        }
        #expect(load.paths.count > 100)
        try await fleet.settles()
        for server in fleet.everyone {
            let list = try await server.send(.GET, "/things/*", headers: ["Gimbal-Read": "local"]).body
            let items = try #require(try JSONSerialization.jsonObject(with: Data(list.utf8)) as? [[String: Any]])
            let held = Dictionary(uniqueKeysWithValues: items.map { ($0["path"] as? String ?? "", $0["data"] as? Int ?? -1) })
            let lost = load.paths.filter { held[$0.key] != $0.value }
            #expect(lost.isEmpty, "\(server.name) lost \(lost.count) of \(load.paths.count)")
        }
    }
}
