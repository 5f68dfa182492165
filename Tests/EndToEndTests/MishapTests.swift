import Foundation
import NIOHTTP1
import Testing

/// What operators, backups and networks do to a fleet: nothing is lost, and what is wrong is shown.
@Suite(.serialized, .cleansUp)
struct MishapTests {
    private func copy(_ folder: String, to place: String) throws {
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
        // A killed server leaves its socket behind, which cannot be copied.
        for name in try FileManager.default.contentsOfDirectory(atPath: folder) where name != "operator.sock" {
            try FileManager.default.copyItem(atPath: "\(folder)/\(name)", toPath: "\(place)/\(name)")
        }
    }

    private func fault(_ server: Server) async throws -> String? {
        (try await server.status()["fault"] as? [String: Any])?["code"] as? String
    }

    @Test("the wrong program on a data folder is refused and destroys nothing")
    func wrongProgram() async throws {
        let fleet = try await Fleet(nodes: 1)
        try await fleet.nodes[0].set("things/a", "1")
        try await fleet.settles()
        for server in fleet.everyone { server.stop() }
        let node = try Binaries.run("node", ["--data", fleet.pivot.folder, "--pivot", fleet.pivot.url])
        #expect(node.status == 74)
        #expect(node.errors.contains("[data-other-program]"))
        let pivot = try Binaries.run("pivot", ["--data", fleet.nodes[0].folder])
        #expect(pivot.status == 74)
        #expect(pivot.errors.contains("[data-other-program]"))
        try await fleet.pivot.start()
        #expect(try await fleet.pivot.local("things/a") == "1")
        try await fleet.nodes[0].start()
        #expect(try await fleet.nodes[0].local("things/a") == "1")
    }

    @Test("lessons 25 and 31: a pivot of another space behind the old URL is shown, and reads do not claim to be the pivot's")
    func strangerIsShown() async throws {
        let fleet = try await Fleet(nodes: 1)
        let node = fleet.nodes[0]
        try await node.set("things/a", "1")
        try await fleet.settles()
        #expect(try await fault(node) == nil)
        fleet.pivot.kill()
        try FileManager.default.removeItem(atPath: fleet.pivot.folder)
        try await fleet.pivot.start()
        try await eventually("the node shows whom it found") { try await fault(node) == "wrong-space" }
        #expect(try Binaries.run("gimbal", ["status", node.folder]).output.contains("wrong-space"))
        let read = try await node.send(.GET, "/things/a")
        #expect(Server.data(read.body) == "1")
        #expect(read.headers.first(name: "Gimbal-Freshness") == "local")
    }

    @Test("lesson 26: a pivot that comes back from an old backup is noticed; no node loses or hides anything")
    func restoredPivot() async throws {
        let fleet = try await Fleet()
        try await fleet.nodes[0].set("things/a", "1")
        try await fleet.settles()
        fleet.pivot.kill()
        try copy(fleet.pivot.folder, to: "\(fleet.folder)/backup")
        try await fleet.pivot.start()
        try await fleet.nodes[0].set("things/b", "2")
        try await fleet.settles()
        fleet.pivot.kill()
        try FileManager.default.removeItem(atPath: fleet.pivot.folder)
        try copy("\(fleet.folder)/backup", to: fleet.pivot.folder)
        try await fleet.pivot.start()
        // Its log grows again past where the nodes are, with other entries.
        for number in 0..<5 { try await fleet.pivot.set("things/other-\(number)", "true") }
        try await fleet.nodes[0].set("things/c", "3")
        for node in fleet.nodes {
            try await eventually("\(node.name) shows that the pivot lost something") { try await fault(node) == "pivot-lost" }
            let read = try await node.send(.GET, "/things/b")
            #expect(Server.data(read.body) == "2")
            #expect(read.headers.first(name: "Gimbal-Freshness") == "local")
            #expect(try await node.send(.GET, "/things/b", headers: ["Gimbal-Read": "latest"]).status == 503)
        }
        #expect(try await fleet.nodes[0].local("things/c") == "3")
        #expect(try await fleet.nodes[0].status()["outbox"] as? Int == 1)
    }

    @Test("lesson 27: a copied folder is found out; what both copies write arrives, everywhere")
    func copiedNode() async throws {
        let fleet = try await Fleet(nodes: 1)
        let original = fleet.nodes[0]
        try await original.set("things/before", "1")
        try await fleet.settles()
        original.kill()
        try copy(original.folder, to: "\(fleet.folder)/copy")
        try await original.start()
        let copied = Server("node", name: "copy", folder: "\(fleet.folder)/copy", arguments: ["--pivot", fleet.pivot.url])
        try await copied.start()
        for number in 0..<20 {
            try await original.set("things/original-\(number)", "\(number)")
            try await copied.set("things/copy-\(number)", "\(number)")
        }
        let everyone = [fleet.pivot, original, copied]
        try await eventually("all 41 are everywhere") {
            for server in everyone {
                let list = try await server.send(.GET, "/things/*", headers: ["Gimbal-Read": "local"]).body
                guard list.matches(of: /"path":/).count == 41 else { return false }
            }
            return true
        }
        for number in [0, 10, 19] {
            for server in everyone {
                #expect(try await server.local("things/original-\(number)") == "\(number)")
                #expect(try await server.local("things/copy-\(number)") == "\(number)")
            }
        }
        try await eventually("nothing waits") {
            for node in [original, copied] where try await node.status()["outbox"] as? Int != 0 { return false }
            return true
        }
    }

    @Test("a node that starts before its pivot says so, stops when told to, and serves once the pivot is there")
    func nodeFirst() async throws {
        let fleet = try await Fleet(nodes: 0)
        fleet.pivot.kill()
        let node = Server("node", name: "node", folder: "\(fleet.folder)/early", arguments: ["--pivot", fleet.pivot.url])
        try await node.start()
        #expect(await !node.isReady())
        for (method, path, body) in [(HTTPMethod.GET, "/settings", nil), (.POST, "/settings", "1"), (.DELETE, "/things/*", nil)] {
            let reply = try await node.send(method, path, body)
            #expect(reply.status == 503)
            #expect(reply.headers.first(name: "Gimbal-Error") == "not-ready")
        }
        #expect(node.stop() == 0)
        try await node.start()
        try await fleet.pivot.start()
        try await eventually("the node serves") { await node.isReady() }
        try await node.set("settings", "1")
        try await eventually("its write arrives") { try await fleet.pivot.local("settings") == "1" }
    }

    @Test("a flag is stronger than the environment, the environment than the file; what is malformed is refused")
    func settings() async throws {
        let fleet = try await Fleet(nodes: 0)
        let file = "\(fleet.folder)/settings.json"
        let folder = "\(fleet.folder)/configured"
        let text = #"{"data": "\#(folder)", "sync": ["from-file/*"], "listen": "127.0.0.1:1", "logLevel": "error"}"#
        try Data(text.utf8).write(to: URL(fileURLWithPath: file))
        // The address in the file cannot be had; the harness gives another as a flag.
        let configured = Server(
            "pivot", name: "configured", folder: folder, arguments: ["--config", file],
            environment: ["GIMBAL_SYNC": "from-environment/*,settings"])
        try await configured.start()
        let patterns = try await configured.status()["patterns"] as? [String]
        #expect(patterns == ["from-environment/*", "settings"])
        try Data(#"{"data": "\#(folder)2", "sync": "things/*"}"#.utf8).write(to: URL(fileURLWithPath: file))
        let malformed = try Binaries.run("pivot", ["--config", file])
        #expect(malformed.status == 64)
        #expect(malformed.errors.contains("sync"))
    }
}
