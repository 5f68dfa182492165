import Foundation
import NIOHTTP1
import Testing

/// What an operator and a stranger meet at the door.
@Suite(.serialized, .cleansUp)
struct OperatorTests {
    @Test("a second process on a data folder is refused with a clear message")
    func secondProcess() async throws {
        let fleet = try await Fleet(nodes: 0)
        let second = try Binaries.run("pivot", ["--listen", "127.0.0.1:0", "--data", fleet.pivot.folder])
        #expect(second.status == 74)
        #expect(second.errors.contains("[data-in-use]"))
        try await fleet.pivot.set("settings", "1")
    }

    @Test("only who can read the data folder can open the operator's socket, and no one but the owner a key")
    func modes() async throws {
        let fleet = try await Fleet(nodes: 1)
        for server in fleet.everyone {
            let manager = FileManager.default
            let socket = try manager.attributesOfItem(atPath: "\(server.folder)/operator.sock")
            #expect(socket[.posixPermissions] as? Int == 0o600)
            let keys = try manager.contentsOfDirectory(atPath: "\(server.folder)/keys")
            #expect(!keys.isEmpty)
            for key in keys {
                let attributes = try manager.attributesOfItem(atPath: "\(server.folder)/keys/\(key)")
                #expect(attributes[.posixPermissions] as? Int == 0o600)
            }
        }
        let status = try Binaries.run("gimbal", ["status", fleet.pivot.folder, "--json"])
        #expect(status.status == 0)
        #expect(status.output.contains(#""role":"pivot""#))
    }

    @Test("a space holds what its founder said, however it is started again; only one founded without a word holds everything")
    func founding() async throws {
        let folder = try await Fleet(nodes: 0).folder
        for (name, founded, held) in [("narrow", ["--sync", "things/*"], "things/*"), ("wide", [], "**")] {
            let pivot = Server("pivot", name: name, folder: "\(folder)/\(name)", arguments: [])
            try await pivot.start(with: founded)
            for flags in [[], [], founded] {
                try await pivot.set("other", "1")
                #expect(try await pivot.status()["patterns"] as? [String] == [held])
                let file = "\(folder)/other.bundle"
                #expect(try Binaries.run("gimbal", ["export", pivot.folder, "other", "--output", file]).status == 0)
                #expect(try Binaries.run("gimbal", ["verify", file]).output.contains("other") == (name == "wide"))
                pivot.stop()
                try await pivot.start(with: flags)
            }
        }
    }

    @Test("lesson 8: a stranger is refused until the pivot's operator allows its key")
    func stranger() async throws {
        let fleet = try await Fleet(nodes: 0, pivotFlags: [])
        let folder = "\(fleet.folder)/stranger"
        let key = try Binaries.run("gimbal", ["key", "--create", folder]).output.trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(key.count == 64)
        let node = Server("node", name: "stranger", folder: folder, arguments: ["--pivot", fleet.pivot.url])
        try await node.start()
        try await Task.sleep(for: .seconds(1))
        #expect(await !node.isReady())
        #expect(try await node.send(.POST, "/settings", "1").status == 503)
        fleet.pivot.stop()
        try await fleet.pivot.start(with: ["--allow", key])
        try await eventually("the node is admitted") { await node.isReady() }
        try await node.set("settings", "1")
        try await eventually("its write arrives") { try await fleet.pivot.local("settings") == "1" }
    }

    @Test("lesson 8: no replication route answers an unsigned request")
    func unsigned() async throws {
        let fleet = try await Fleet(nodes: 0)
        let space = try #require(try await fleet.pivot.status()["space"] as? String)
        let start = "log?epoch=0-0&position=0&root=\(String(repeating: "0", count: 64))"
        for (method, route) in [("POST", "join"), ("POST", "push"), ("GET", "place"), ("GET", start)] {
            let reply = try await fleet.pivot.send(
                .init(rawValue: method), "/_pivot/v1/spaces/\(space)/\(route)", method == "POST" ? "x" : nil)
            #expect(reply.status == 401, "\(route)")
            #expect(reply.headers.first(name: "Gimbal-Challenge") != nil)
        }
        let other = String(repeating: "1", count: 64)
        #expect(try await fleet.pivot.send(.POST, "/_pivot/v1/spaces/\(other)/push", "x").status == 401)
    }

    @Test("an exported bundle verifies offline; with one bit changed it does not")
    func bundle() async throws {
        let fleet = try await Fleet(nodes: 1)
        try await fleet.nodes[0].set("things/a", #"{"secret":1}"#)
        try await fleet.nodes[0].set("things/b", "2")
        try await fleet.settles()
        let file = "\(fleet.folder)/one.bundle"
        #expect(try Binaries.run("gimbal", ["export", fleet.nodes[0].folder, "things/a", "--output", file]).status == 0)
        let verified = try Binaries.run("gimbal", ["verify", file])
        #expect(verified.status == 0, "\(verified.output)")
        #expect(verified.output.contains(#"{"secret":1}"#))
        #expect(!verified.output.contains("things/b"))
        var bytes = try Data(contentsOf: URL(fileURLWithPath: file))
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: URL(fileURLWithPath: file))
        #expect(try Binaries.run("gimbal", ["verify", file]).status == 2)
    }

    @Test("versions and settings that cannot be are told clearly")
    func commandLine() throws {
        for program in ["pivot", "node", "gimbal"] {
            #expect(try Binaries.run(program, ["--version"]).output == "0.1.0\n")
            #expect(try Binaries.run(program, ["--help"]).output.contains("USAGE"))
        }
        let open = try Binaries.run("pivot", ["--listen", "0.0.0.0:0", "--data", "/nonexistent"])
        #expect(open.status == 64)
        #expect(open.errors.contains("--insecure"))
    }
}
