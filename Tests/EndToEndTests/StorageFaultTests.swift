import Foundation
import NIOHTTP1
import Testing

/// A storage that fails while a server runs: it is noticed, said, and recovered from without a restart.
@Suite(.serialized, .cleansUp)
struct StorageFaultTests {
    /// Of dice, so that no file is smaller than what is in it.
    private static func value(_ bytes: Int) -> String {
        "\"\(String((0..<bytes).map { _ in "0123456789abcdef".randomElement() ?? "0" }))\""
    }

    private func answer(_ server: Server, _ path: String, _ value: String) async throws -> (status: Int, code: String?) {
        let reply = try await server.send(.POST, "/\(path)", value)
        return (reply.status, reply.headers.first(name: "Gimbal-Error"))
    }

    private func fault(_ server: Server, _ space: String) async throws -> String? {
        let reply = try await server.send(.GET, "/_gimbal/status?space=\(space)")
        let status = try JSONSerialization.jsonObject(with: Data(reply.body.utf8)) as? [String: Any]
        return (status?["fault"] as? [String: Any])?["code"] as? String
    }

    private func name(_ server: Server) async throws -> String { try #require(try await server.status()["space"] as? String) }

    /// A write in the middle of a file that may not grow fails like one on a broken disk, and goes through when it may.
    @Test("of a pivot, a node and its local space", arguments: [("pivot", "things"), ("node", "things"), ("node", "own")])
    func writesFail(_ program: String, _ collection: String) async throws {
        let fleet = try await Fleet(nodes: 1)
        let server = program == "pivot" ? fleet.pivot : fleet.nodes[0]
        let space = collection == "own" ? "local" : try await name(server)
        for number in 0..<6 { try await server.set("\(collection)/\(number)", Self.value(64 << 10)) }
        try await fleet.settles()
        try server.limit("--fsize=131072:unlimited")
        let first = try await answer(server, "\(collection)/refused", "1")
        #expect(first.status == 500 && first.code == "storage-failed", "\(first)")
        for _ in 0..<20 {
            let (status, code) = try await answer(server, "\(collection)/refused", "1")
            #expect(status == 500 && code == "storage-failed", "\(status) \(code ?? "")")
        }
        #expect(try await server.local("\(collection)/5") != nil, "reads go on")
        #expect(try await fault(server, space) == "storage-failed")
        let ready = try await server.send(.GET, "/_health/ready")
        #expect(ready.status == 503 && ready.headers.first(name: "Gimbal-Error") == "storage-failed")
        #expect(try await server.send(.GET, "/_health/live").status == 200)
        let metrics = try await server.send(.GET, "/metrics").body
        #expect(metrics.contains(#/gimbal_fault\{[^}]*code="storage-failed"[^}]*\} 1/#))
        #expect(metrics.contains(#/gimbal_space_ready\{[^}]*\} 0/#))
        #expect(try server.log().matches(of: /the storage failed: writes are refused/).count == 1)
        if program == "node", collection == "things" {
            // What comes from the pivot cannot be kept either; it is not asked for over and over.
            try await fleet.pivot.set("things/meanwhile", "1")
            try await Task.sleep(for: .seconds(1))
            #expect(try server.log().matches(of: /following the pivot/).count <= 2)
        }

        try server.limit("--fsize=unlimited:unlimited")
        try await eventually("it is ready by itself") { await server.isReady() }
        #expect(try await fault(server, space) == nil)
        try await server.set("\(collection)/after", "2")
        #expect(try server.log().matches(of: /writes are stored again/).count == 1)
        if collection == "things" { try await fleet.settles() }
        if program == "node", collection == "things" { #expect(try await server.local("things/meanwhile") == "1") }
        server.kill()
        try await server.start()
        for key in ["0", "5", "after"] { #expect(try await server.local("\(collection)/\(key)") != nil, "\(key)") }
        #expect(try await server.local("\(collection)/refused") == nil, "nothing of it was stored, as was said")
    }

    @Test("damage in a table is shown by the server that has it, and by a node that cannot begin because of it")
    func damagedTables() async throws {
        let fleet = try await Fleet(nodes: 0)
        for number in 0..<200 { try await fleet.pivot.set("things/\(number)", Self.value(4000)) }
        // A start writes what the last run left in its log into tables.
        fleet.pivot.stop()
        try await fleet.pivot.start()
        fleet.pivot.stop()
        let folder = "\(fleet.pivot.folder)/spaces/led"
        for name in try FileManager.default.contentsOfDirectory(atPath: folder) where name.hasSuffix(".sst") {
            let file = URL(fileURLWithPath: "\(folder)/\(name)")
            var content = try Data(contentsOf: file)
            guard content.count > 200_000 else { continue }
            for index in content.count / 2..<content.count / 2 + 50 { content[index] ^= 0x55 }
            try content.write(to: file)
        }
        try await fleet.pivot.start()
        let list = try await fleet.pivot.send(.GET, "/things/*")
        #expect(list.status == 500 && list.headers.first(name: "Gimbal-Error") == "storage-corrupt", "\(list.status)")
        #expect(try await fault(fleet.pivot, "local") == nil)
        let fault = try await fleet.pivot.status()["fault"] as? [String: Any]
        #expect(fault?["code"] as? String == "storage-corrupt")
        #expect(await fleet.pivot.isReady() == false)
        #expect(try await fleet.pivot.send(.GET, "/metrics").body.contains(#"code="storage-corrupt"} 1"#))
        #expect(try fleet.pivot.log().matches(of: /damaged: what cannot be read/).count == 1)
        // What is not damaged is served, and written: at once, or after a compaction that met the damage too.
        #expect(try await fleet.pivot.local("things/0") != nil)
        try await eventually("it takes a write") { try await answer(fleet.pivot, "things/new", "1").status == 200 }

        let node = Server("node", name: "new", folder: "\(fleet.folder)/new", arguments: ["--pivot", fleet.pivot.url])
        try await node.start()
        try await eventually("the node says why it is not ready") {
            (try await node.status()["fault"] as? [String: Any])?["code"] as? String == "pivot-storage"
        }
        #expect(await node.isReady() == false)
    }

    @Test("a node that its pivot refuses is not ready and has a fault, whoever is asked")
    func refusedNode() async throws {
        let fleet = try await Fleet(nodes: 0, pivotFlags: [])
        let node = Server("node", name: "refused", folder: "\(fleet.folder)/refused", arguments: ["--pivot", fleet.pivot.url])
        try await node.start()
        try await eventually("it is refused") {
            (try await node.status()["fault"] as? [String: Any])?["code"] as? String == "not-a-member"
        }
        #expect(try await node.status()["ready"] as? Bool == false)
        #expect(await node.isReady() == false)
        let metrics = try await node.send(.GET, "/metrics").body
        #expect(metrics.contains(#/gimbal_fault\{[^}]*code="not-a-member"[^}]*\} 1/#))
        #expect(metrics.contains(#/gimbal_space_ready\{[^}]*\} 0/#))
        #expect(try await node.send(.GET, "/?api=pivot").body.contains(#""pivotHealthy":false"#))
    }
}
