import Foundation
import NIOHTTP1
import Testing

/// One line for each thing that an operator should know, and none for requests.
@Suite(.serialized, .cleansUp)
struct LogTests {
    @Test("hundreds of requests, good and bad, leave no line")
    func silence() async throws {
        let fleet = try await Fleet()
        try await fleet.settles()
        let before = try fleet.everyone.map { try $0.log() }
        for server in fleet.everyone {
            for number in 0..<60 {
                try await server.set("things/\(number)", "\(number)")
                for (method, path, body) in [
                    (HTTPMethod.GET, "/things/\(number)", nil), (.GET, "/things/none", nil), (.POST, "/a//b", "1"),
                    (.POST, "/things/x", "nope"), (.PUT, "/things/x", "1"), (.GET, "/things/*", nil), (.GET, "/metrics", nil),
                    (.GET, "/_gimbal/status", nil), (.PATCH, "/things/none", "{}"), (.POST, "/_pivot/v1/spaces/x/push", "x"),
                ] {
                    _ = try await server.send(method, path, body)
                }
            }
            _ = try RawConnection.exchange("nonsense\r\n\r\n", port: server.port)
            _ = try RawConnection.exchange("POST /things/x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1", port: server.port)
        }
        try await fleet.settles()
        #expect(try fleet.everyone.map { try $0.log() } == before)
    }

    @Test("start, pivot lost and found, a stranger, a member, a refusal, the stop: each is one line")
    func lines() async throws {
        let fleet = try await Fleet(nodes: 1)
        let node = fleet.nodes[0]
        let author = try #require(try await node.status()["author"] as? String)
        func count(_ server: Server, _ text: String) throws -> Int { try server.log().components(separatedBy: text).count - 1 }
        for server in fleet.everyone {
            let line = try #require(try server.log().split(separator: "\n").first { $0.hasSuffix("] serving") })
            #expect(line.contains("address=\(server.url.dropFirst(7))") && line.contains("version="), "\(line)")
        }
        #expect(try count(fleet.pivot, "node joined by open enrollment") == 1)
        #expect(try count(node, "following the pivot") == 1)
        fleet.pivot.kill()
        try await eventually("the node says so") { try count(node, "lost the pivot") == 1 }
        try await node.set("things/a", "1")
        try await node.set("things/b", "2")
        // The harness begins a new log with each start.
        try await fleet.pivot.start()
        #expect(try Binaries.run("gimbal", ["member", "allow", fleet.pivot.folder, author, "settings"]).status == 0)
        #expect(try count(fleet.pivot, "a member was changed") == 1)
        try await eventually("the node says so") { try count(node, "following the pivot") == 2 }
        try await fleet.settles()

        let folder = "\(fleet.folder)/stranger"
        let closed = Server("pivot", name: "closed", folder: "\(fleet.folder)/closed", arguments: [])
        try await closed.start()
        let stranger = Server("node", name: "stranger", folder: folder, arguments: ["--pivot", closed.url])
        try await stranger.start()
        try await Task.sleep(for: .seconds(2))
        #expect(try count(closed, "stranger refused") == 1)
        #expect(try count(stranger, "waiting for the pivot") == 1)
        for server in [closed, stranger, node, fleet.pivot] {
            #expect(server.stop() == 0)
            #expect(try count(server, "] stopped") == 1)
        }
    }
}
