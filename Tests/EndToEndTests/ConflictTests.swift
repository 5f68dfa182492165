import Foundation
import NIOHTTP1
import Testing

/// What a person sees of concurrent writes and of refused ones, and what they can do about it.
@Suite(.serialized, .cleansUp)
struct ConflictTests {
    private func json(_ text: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    @Test("siblings are shown with their authors, explained, and resolved everywhere")
    func siblings() async throws {
        let fleet = try await Fleet()
        fleet.pivot.kill()
        try await fleet.nodes[0].set("things/x", #"{"by":0,"exact":1.50}"#)
        try await fleet.nodes[1].set("things/x", #"{"by":1}"#)
        try await fleet.pivot.start()
        try await fleet.settles()
        for server in fleet.everyone {
            let shown = try json(try await server.send(.GET, "/things/x?siblings=1").body)
            let siblings = try #require(shown["siblings"] as? [[String: Any]])
            #expect((shown["data"] as? [String: Any])?["by"] as? Int == 1)
            #expect(siblings.count == 1)
            #expect((siblings.first?["data"] as? [String: Any])?["by"] as? Int == 0)
            #expect(shown["author"] as? String != siblings.first?["author"] as? String)
            for write in [shown] + siblings {
                #expect(write["stamp"] as? UInt64 == write["effectiveStamp"] as? UInt64 && write["stamp"] is UInt64)
                // Written while the pivot was away, which alone knows when it took what.
                #expect((write["skewMilliseconds"] as? Int ?? 0 < 0) == (server === fleet.pivot), "\(server.name): \(write)")
            }
        }
        // What stands is found however little is searched.
        for number in 0..<3 { try await fleet.pivot.set("settings", "\(number)") }
        let shallow = try json(try await fleet.pivot.send(.GET, "/_gimbal/explain?key=things/x&depth=1").body)
        let standing = try #require(shallow["standing"] as? [[String: Any]])
        #expect(standing.count == 2 && standing.allSatisfy { $0["stamp"] is UInt64 && $0["position"] is Int })
        let explained = try json(try await fleet.pivot.send(.GET, "/_gimbal/explain?key=things/x").body)
        #expect((explained["standing"] as? [[String: Any]])?.count == 2)
        #expect(explained["reason"] as? String == "greater-stamp")

        let resolved = try Binaries.run("gimbal", ["resolve", fleet.nodes[0].url, "things/x", "--choose", "1"])
        #expect(resolved.status == 0, "\(resolved.errors)")
        // The value is written as it was, its number's digits included.
        try await fleet.converges("things/x", to: #"{"by":0,"exact":1.50}"#)
        try await fleet.settles()
        let after = try json(try await fleet.nodes[1].send(.GET, "/things/x?siblings=1").body)
        #expect((after["siblings"] as? [Any])?.isEmpty == true)
        let text = try Binaries.run("gimbal", ["explain", fleet.nodes[1].url, "things/x"])
        #expect(text.output.contains("one write stands") && text.output.contains("superseded: put"), "\(text.output)")
        #expect(text.output.components(separatedBy: "ended by").count == 3, "both are ended by the third: \(text.output)")
    }

    @Test("explain: a register's loser is named with the winner; an unknown key has nothing")
    func registers() async throws {
        let fleet = try await Fleet(nodes: 1)
        try await fleet.pivot.set("settings", "1")
        try await fleet.settles()
        try await fleet.nodes[0].set("settings", "2")
        try await fleet.settles()
        let explained = try json(try await fleet.pivot.send(.GET, "/_gimbal/explain?key=settings").body)
        let superseded = try #require((explained["superseded"] as? [[String: Any]])?.first)
        let standing = try #require((explained["standing"] as? [[String: Any]])?.first)
        #expect(superseded["value"] as? Int == 1 && standing["value"] as? Int == 2)
        #expect((superseded["supersededBy"] as? [String: Any])?["author"] as? String == standing["author"] as? String)
        #expect(standing["skewMilliseconds"] is Int)
        let nothing = try json(try await fleet.pivot.send(.GET, "/_gimbal/explain?key=things/none").body)
        #expect(nothing["reason"] as? String == "nothing-there")
        #expect(try await fleet.pivot.send(.GET, "/_gimbal/explain?key=a//b").status == 400)
    }

    @Test("a refused write reaches the dead letters, nothing behind it waits, and it can be retried or dropped")
    func deadLetters() async throws {
        let fleet = try await Fleet(nodes: 1)
        let node = fleet.nodes[0]
        let author = try #require(try await node.status()["author"] as? String)
        fleet.pivot.kill()
        try await node.set("things/retried", #"{"n":1.0}"#)
        try await node.set("things/dropped", "2")
        try await node.set("settings", "3")
        node.kill()
        try await fleet.pivot.start()
        #expect(try Binaries.run("gimbal", ["member", "allow", fleet.pivot.folder, author, "settings"]).status == 0)
        try await node.start()
        try await fleet.converges("settings", to: "3")
        try await fleet.settles()
        try await fleet.converges("things/retried", to: nil)
        #expect(try await node.send(.POST, "/things/late", "1").status == 403)

        let letters = {
            try Binaries.run("gimbal", ["deadletters", "list", node.folder]).output.split(separator: "\n").map(String.init)
        }
        #expect(try letters().count == 2)
        #expect(try letters().allSatisfy { $0.contains(" forbidden put things/") })
        let refused = try Binaries.run("gimbal", ["deadletters", "retry", node.folder])
        #expect(refused.status != 0 && refused.errors.contains("[forbidden]"), "\(refused.errors)")
        #expect(try letters().count == 2)
        #expect(try Binaries.run("gimbal", ["member", "allow", fleet.pivot.folder, author, "**"]).status == 0)
        try await fleet.settles()
        let retried = try #require(try letters().first { $0.contains("things/retried") }?.split(separator: " ").first)
        #expect(try Binaries.run("gimbal", ["deadletters", "retry", node.folder, String(retried)]).status == 0)
        try await fleet.converges("things/retried", to: #"{"n":1.0}"#)
        #expect(try Binaries.run("gimbal", ["deadletters", "drop", node.folder]).status == 0)
        #expect(try letters().isEmpty)
        try await fleet.converges("things/dropped", to: nil)
        #expect(try await node.send(.DELETE, "/_gimbal/deadletters/0-0").status == 404)
    }

    @Test("members are changed through the operator's socket alone")
    func operatorOnly() async throws {
        let fleet = try await Fleet(nodes: 0)
        let author = String(repeating: "ab", count: 32)
        let record = #"{"name":"x","writes":["**"]}"#
        #expect(try await fleet.pivot.send(.POST, "/_gimbal/members/\(author)", record).status == 403)
        #expect(try Binaries.run("gimbal", ["member", "allow", fleet.pivot.url, author]).status != 0)
        #expect(try Binaries.run("gimbal", ["member", "allow", fleet.pivot.folder, author, "not a pattern"]).status != 0)
        let list = { try Binaries.run("gimbal", ["member", "list", fleet.pivot.url]).output }
        #expect(try list().isEmpty)
        #expect(try Binaries.run("gimbal", ["member", "allow", fleet.pivot.folder, author, "things/*"]).status == 0)
        #expect(try list().contains("\(author) abababab writes things/*"))
        #expect(try Binaries.run("gimbal", ["member", "revoke", fleet.pivot.folder, author]).status == 0)
        #expect(try list().contains("revoked"))
    }
}
