import Foundation
import NIOHTTP1
import Synchronization
import Testing

/// kill -9 of whoever, while keys are overwritten and deleted, and in the middle of a pivot change.
@Suite(.serialized, .cleansUp)
struct ChaosTests {
    /// One client with keys of its own: what each may hold, from what was acknowledged and what got no answer.
    final class Client: Sendable {
        private struct State {
            /// Nil stands for no value.
            var possible: [String: [Int?]] = [:]
            var acknowledged = 0
            var isStopped = false
        }

        private let state = Mutex(State())

        var possible: [String: [Int?]] { state.withLock { $0.possible } }
        var acknowledged: Int { state.withLock { $0.acknowledged } }
        func stop() { state.withLock { $0.isStopped = true } }

        func run(_ server: Server, _ name: String) async {
            var number = 0
            while !state.withLock({ $0.isStopped }) {
                number += 1
                let path = "things/\(name)-\(Int.random(in: 0..<20))"
                let before = state.withLock { $0.possible[path] } ?? [nil]
                // What is surely there can be deleted now and then.
                let isDelete = before.count == 1 && before[0] != nil && number % 4 == 0
                let wanted: Int? = isDelete ? nil : number
                state.withLock { $0.possible[path] = before + [wanted] }
                let reply = try? await server.send(isDelete ? .DELETE : .POST, "/\(path)", isDelete ? nil : "\(number)")
                guard let reply, reply.status == (isDelete ? 204 : 200) else {
                    try? await Task.sleep(for: .milliseconds(5))
                    continue
                }
                state.withLock { state in
                    state.possible[path] = [wanted]
                    state.acknowledged += 1
                }
            }
        }
    }

    @Test("any of the three is killed, again and again, while keys are written and deleted: the last acknowledged state holds")
    func killAnyone() async throws {
        let fleet = try await Fleet()
        let clients = fleet.everyone.flatMap { server in (0..<3).map { (server, "\(server.name.suffix(1))\($0)", Client()) } }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (server, name, client) in clients { group.addTask { await client.run(server, name) } }
            for round in 0..<15 {
                try await Task.sleep(for: .milliseconds(Int.random(in: 50...400)))
                let victim = fleet.everyone[round % 3]
                victim.kill()
                try await Task.sleep(for: .milliseconds(Int.random(in: 0...150)))
                try await victim.start()
            }
            try await Task.sleep(for: .milliseconds(300))
            for (_, _, client) in clients { client.stop() }
            for try await _ in group {}
        }
        #expect(clients.allSatisfy { $0.2.acknowledged > 20 })
        try await fleet.settles()
        for server in fleet.everyone {
            let list = try await server.send(.GET, "/things/*", headers: ["Gimbal-Read": "local"]).body
            let items = try #require(try JSONSerialization.jsonObject(with: Data(list.utf8)) as? [[String: Any]])
            let held = Dictionary(uniqueKeysWithValues: items.map { ($0["path"] as? String ?? "", $0["data"] as? Int) })
            for (_, name, client) in clients {
                let wrong = client.possible.filter { !$0.value.contains(held[$0.key] ?? nil) }
                #expect(wrong.isEmpty, "\(server.name), client \(name): \(wrong.map { ($0.key, held[$0.key], $0.value) })")
            }
        }
    }

    @Test("kill -9 at any moment of a pivot change ends before or after it, and every unsent write is in a rescue bundle")
    func killDuringPivotChange() async throws {
        let fleets = [try await Fleet(nodes: 0), try await Fleet(nodes: 0)]
        for (index, fleet) in fleets.enumerated() {
            for number in 0..<100 { try await fleet.pivot.set("things/of-\(index)-\(number)", "true") }
        }
        let folder = "\(fleets[0].folder)/node"
        func node(of index: Int) -> Server {
            Server("node", name: "node", folder: folder, arguments: ["--pivot", fleets[index].pivot.url])
        }
        var unsent: [String] = []
        var server = node(of: 0)
        try await server.start()
        try await eventually("the node follows") { try await server.local("things/of-0-99") == "true" }
        for round in 1...8 {
            // Written while its pivot is away, so that it is in the outbox alone.
            fleets[(round + 1) % 2].pivot.kill()
            try await server.set("things/unsent-\(round)", "\(round)")
            unsent.append("things/unsent-\(round)")
            server.kill()
            try await fleets[(round + 1) % 2].pivot.start()
            server = node(of: round % 2)
            for _ in 0..<3 {
                try await server.start()
                try await Task.sleep(for: .milliseconds(Int.random(in: 0...60)))
                server.kill()
            }
            try await server.start()
            try await eventually("the change is over") { try await server.local("things/of-\(round % 2)-99") == "true" }
            let list = try await server.send(.GET, "/things/*").body
            #expect(!list.contains("things/of-\((round + 1) % 2)-"), "round \(round)")
            #expect(!list.contains("things/unsent-\(round)\""), "round \(round)")
        }
        var rescued = ""
        for name in try FileManager.default.contentsOfDirectory(atPath: "\(folder)/rescue") {
            #expect(name.hasSuffix(".bundle"), "left behind")
            let verified = try Binaries.run("gimbal", ["verify", "\(folder)/rescue/\(name)"])
            #expect(verified.status == 0, "\(name): \(verified.output.suffix(500))")
            rescued += verified.output
        }
        for path in unsent { #expect(rescued.contains("\(path)  by"), "\(path) is in no rescue bundle") }
        // Their folders go with them, and the compiler may let them go after their last use.
        withExtendedLifetime(fleets) {}
    }
}
