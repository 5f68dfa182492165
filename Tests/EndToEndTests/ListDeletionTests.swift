import Foundation
import NIOHTTP1
import Testing

/// DELETE of a list, whole and cut off. What subscribers see of it is in Tests/Clients/check_deletes.py.
@Suite(.serialized, .cleansUp)
struct ListDeletionTests {
    private static let commit = 4096

    private func fill(_ server: Server, _ count: Int) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<32 {
                group.addTask {
                    for number in stride(from: worker, to: count, by: 32) {
                        try await server.set("things/k\(number)", "\(number)")
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private func paths(_ server: Server) async throws -> [String] {
        let list = try await server.send(.GET, "/things/*", headers: ["Gimbal-Read": "local"]).body
        let items = try #require(try JSONSerialization.jsonObject(with: Data(list.utf8)) as? [[String: Any]])
        return items.compactMap { $0["path"] as? String }.sorted()
    }

    private func total(_ server: Server) async throws -> Int {
        let reply = try await server.send(.GET, "/things/*?limit=1", headers: ["Gimbal-Read": "local"])
        return try #require(reply.headers.first(name: "Gimbal-Total").flatMap { Int($0) })
    }

    @Test("a server that is killed amid the deletion of a list has deleted whole commits, in the order of paths")
    func killed() async throws {
        let fleet = try await Fleet(nodes: 0)
        let count = Self.commit + 400
        try await fill(fleet.pivot, count)
        let before = try await paths(fleet.pivot)
        #expect(before.count == count)
        let deleting = Task { try? await fleet.pivot.send(.DELETE, "/things/*") }
        try await eventually("something is gone") { try await total(fleet.pivot) < count }
        fleet.pivot.kill()
        _ = await deleting.value
        try await fleet.pivot.start()
        try await eventually("it is ready again") { await fleet.pivot.isReady() }
        let left = try await paths(fleet.pivot)
        #expect(left.isEmpty || left == Array(before[Self.commit...]), "\(left.count) of \(count) are left")
        try await fleet.pivot.delete("things/*")
        #expect(try await paths(fleet.pivot).isEmpty)
    }

    @Test("a list that a node deletes offline goes everywhere, and what others wrote meanwhile stays")
    func offline() async throws {
        let fleet = try await Fleet(nodes: 2)
        let (deleting, writing) = (fleet.nodes[0], fleet.nodes[1])
        try await fill(fleet.pivot, 200)
        try await fleet.settles()
        fleet.pivot.pause()
        try await deleting.delete("things/*")
        #expect(try await paths(deleting).isEmpty)
        try await writing.set("things/k7", #""again""#)
        try await writing.set("things/new", "1")
        fleet.pivot.resume()
        try await fleet.settles()
        for server in fleet.everyone {
            #expect(try await paths(server) == ["things/k7", "things/new"])
            #expect(try await server.local("things/k7") == #""again""#)
        }
    }
}
