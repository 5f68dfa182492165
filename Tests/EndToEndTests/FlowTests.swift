import Foundation
import NIOHTTP1
import Testing

/// The flows of issue 2's table: each with a pivot and two nodes, real processes over real HTTP.
@Suite(.serialized, .cleansUp)
struct FlowTests {
    @Test("push: node → pivot → other node, and pivot → nodes")
    func push() async throws {
        let fleet = try await Fleet()
        let fromNode = try await fleet.nodes[0].push("things", #"{"from":"node"}"#)
        try await fleet.converges(fromNode, to: #"{"from":"node"}"#)
        let fromPivot = try await fleet.pivot.push("things", #"{"from":"pivot"}"#)
        try await fleet.converges(fromPivot, to: #"{"from":"pivot"}"#)
        #expect(fromNode != fromPivot)
    }

    @Test("set: both directions, a member and a register", arguments: ["things/id", "settings"])
    func set(path: String) async throws {
        let fleet = try await Fleet()
        try await fleet.nodes[0].set(path, #"{"n":1}"#)
        try await fleet.converges(path, to: #"{"n":1}"#)
        try await fleet.pivot.set(path, #"{"n":2.0}"#)
        try await fleet.converges(path, to: #"{"n":2.0}"#)
        try await fleet.nodes[1].set(path, #"{"n":12345678901234567890}"#)
        try await fleet.converges(path, to: #"{"n":12345678901234567890}"#)
    }

    @Test("delete: both directions, a member and a register", arguments: ["things/id", "settings"])
    func delete(path: String) async throws {
        let fleet = try await Fleet()
        try await fleet.pivot.set(path, "1")
        try await fleet.converges(path, to: "1")
        try await fleet.nodes[0].delete(path)
        try await fleet.converges(path, to: nil)
        try await fleet.nodes[1].set(path, "2")
        try await fleet.converges(path, to: "2")
        try await fleet.pivot.delete(path)
        try await fleet.converges(path, to: nil)
        #expect(try await fleet.pivot.send(.DELETE, "/\(path)").status == 404)
    }

    @Test("delete of a collection, from a node and from the pivot")
    func deleteCollection() async throws {
        let fleet = try await Fleet()
        for round in 0..<2 {
            let paths = ["things/a\(round)", "things/b\(round)", "things/c\(round)"]
            for path in paths { try await fleet.pivot.set(path, "true") }
            for path in paths { try await fleet.converges(path, to: "true") }
            try await (round == 0 ? fleet.nodes[0] : fleet.pivot).delete("things/*")
            for path in paths { try await fleet.converges(path, to: nil) }
        }
        #expect(try await fleet.nodes[1].send(.GET, "/things/*").body == "[]")
    }

    @Test("sync-on-read: a node's read has what the pivot has, at once", arguments: ["things/id", "settings"])
    func syncOnRead(path: String) async throws {
        let fleet = try await Fleet()
        for number in 0..<50 {
            try await fleet.pivot.set(path, "\(number)")
            let reply = try await fleet.nodes[0].send(.GET, "/\(path)", headers: ["Gimbal-Read": "latest"])
            #expect(reply.status == 200)
            #expect(Server.data(reply.body) == "\(number)")
            #expect(reply.headers.first(name: "Gimbal-Freshness") == "pivot")
        }
        fleet.pivot.kill()
        let stale = try await fleet.nodes[0].send(.GET, "/\(path)")
        #expect(Server.data(stale.body) == "49")
        #expect(stale.headers.first(name: "Gimbal-Freshness") == "local")
        #expect(try await fleet.nodes[0].send(.GET, "/\(path)", headers: ["Gimbal-Read": "latest"]).status == 503)
    }

    @Test("a path in no space stays on its server")
    func localPaths() async throws {
        let fleet = try await Fleet(nodes: 1)
        try await fleet.nodes[0].set("elsewhere/1", "true")
        #expect(try await fleet.nodes[0].local("elsewhere/1") == "true")
        try await fleet.nodes[0].set("settings", "1")
        try await fleet.converges("settings", to: "1")
        #expect(try await fleet.pivot.local("elsewhere/1") == nil)
    }

    @Test("many writers, one after another and at once: everything is everywhere, in one state")
    func manyWriters() async throws {
        let fleet = try await Fleet()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, server) in fleet.everyone.enumerated() {
                group.addTask {
                    for number in 0..<100 {
                        try await server.set("things/own-\(index)-\(number)", "\(number)")
                        try await server.set("things/shared-\(number % 10)", #"{"by":\#(index),"n":\#(number)}"#)
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
        let items = try JSONSerialization.jsonObject(with: Data(lists[0].utf8)) as? [Any]
        #expect(items?.count == 310)
    }
}

extension Array {
    func asyncMap<Result>(_ transform: (Element) async throws -> Result) async rethrows -> [Result] {
        var results: [Result] = []
        for element in self { results.append(try await transform(element)) }
        return results
    }
}
