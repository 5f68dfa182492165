import Foundation
import NIOHTTP1
import TestFiles
import Testing

/// Disks that are full, read-only or damaged.
@Suite(.serialized, .cleansUp)
struct DiskTests {
    private func reply(_ server: Server, _ path: String, _ value: String) async throws -> (status: Int, code: String?) {
        let reply = try await server.send(.POST, "/\(path)", value)
        return (reply.status, reply.headers.first(name: "Gimbal-Error"))
    }

    private func code(_ server: Server, _ path: String) async throws -> Int {
        try await server.send(.GET, "/\(path)", headers: ["Gimbal-Read": "local"]).status
    }

    /// Of dice and another each time, so that no list compresses beyond what the HTTP client takes.
    private static var value: String { "\"\(String((0..<4000).map { _ in "0123456789abcdef".randomElement() ?? "0" }))\"" }

    @Test(
        "full disk: reads go on, writes answer 507, what was acknowledged is stored, and writing resumes when there is space",
        .enabled(if: TemporaryDisk.isAvailable, "\(TemporaryDisk.reason)"), arguments: ["pivot", "node"])
    func full(_ program: String) async throws {
        let disk = try TemporaryDisk(megabytes: 64)
        let fleet = try await Fleet(nodes: 1)
        // Through a link, so that its log is on another disk.
        let folder = "\(fleet.folder)/full"
        try FileManager.default.createDirectory(atPath: "\(disk.path)/data", withIntermediateDirectories: false)
        try FileManager.default.createSymbolicLink(atPath: folder, withDestinationPath: "\(disk.path)/data")
        let full = Server(
            program, name: "full \(program)", folder: folder,
            arguments: program == "pivot" ? ["--open-enrollment"] : ["--pivot", fleet.pivot.url])
        try await full.start()
        try await eventually("it is ready") { await full.isReady() }
        try await full.set("things/first", Self.value)
        try disk.fill(leaving: 256 << 10)
        var acknowledged = ["things/first"]
        var isFull = false
        for number in 0..<2000 where !isFull {
            let (status, code) = try await reply(full, "things/\(number)", Self.value)
            if status == 200 { acknowledged.append("things/\(number)") }
            isFull = status == 507 && code == "storage-full"
            #expect(status == 200 || isFull, "\(status) \(code ?? "")")
        }
        try #require(isFull, "the disk never was full")
        for path in acknowledged { #expect(try await code(full, path) == 200, "\(path)") }
        #expect(try await full.send(.GET, "/things/*?limit=5").status == 200)
        #expect(try await full.send(.DELETE, "/things/first").status == 507)
        #expect(try await full.send(.GET, "/metrics").body.contains(#"reason="storage-full""#))
        if program == "node" {
            // What comes from the pivot has no room either, and costs nothing but a delay.
            try await fleet.pivot.set("things/meanwhile", "1")
            #expect(try await fleet.pivot.local("things/meanwhile") == "1")
        }

        #expect(try full.log().matches(of: /the disk is full/).count == 1, "once, however many writes it refuses")
        disk.empty()
        try await eventually("it takes writes again") { try await reply(full, "things/after", "1").status == 200 }
        acknowledged.append("things/after")
        #expect(try full.log().matches(of: /writes are stored again/).count == 1)
        if program == "node" {
            try await eventually("it follows again") { try await full.local("things/meanwhile") == "1" }
            try await eventually("the pivot has all of it") { try await full.status()["outbox"] as? Int == 0 }
            for path in acknowledged { #expect(try await code(fleet.pivot, path) == 200, "\(path)") }
            let digests = try await [full, fleet.pivot].asyncMap { try await $0.status()["stateDigest"] as? String }
            #expect(digests[0] == digests[1])
        }
        full.kill()
        try await full.start()
        for path in acknowledged { #expect(try await code(full, path) == 200, "\(path) after the restart") }
        let list = try await full.send(.GET, "/things/*", headers: ["Gimbal-Read": "local"]).body
        let others = program == "node" ? 1 : 0
        #expect(list.matches(of: /"path":/).count == acknowledged.count + others, "nothing else is there")
        let log = try full.log()
        #expect(!log.contains("the disk is full"), "\(log)")
        full.kill()
        // The compiler may let it go after its last use.
        withExtendedLifetime(disk) {}
    }

    @Test(
        "a folder that cannot be written is refused with its reason",
        .enabled(if: TemporaryDisk.isAvailable, "\(TemporaryDisk.reason)"))
    func readOnly() async throws {
        let fleet = try await Fleet(nodes: 0)
        for program in ["pivot", "node"] {
            let disk = try TemporaryDisk(megabytes: 16)
            try disk.refuseWrites()
            let more = program == "node" ? ["--pivot", fleet.pivot.url] : []
            let run = try Binaries.run(program, ["--data", "\(disk.path)/data"] + more)
            #expect(run.status == 74)
            #expect(run.errors.hasPrefix("error [data-not-writable]: "), "\(run.errors)")
            #expect(run.errors.split(separator: "\n").count == 1, "\(run.errors)")
        }
    }

    @Test("a damaged database, key or certificate is refused with its reason, and nothing is written over it")
    func damaged() async throws {
        let fleet = try await Fleet(nodes: 1)
        for number in 0..<200 { try await fleet.pivot.set("things/\(number)", "\(number)") }
        try await fleet.settles()
        for server in fleet.everyone { server.stop() }
        let manager = FileManager.default
        let rows: [(Server, (String) throws -> String, [String])] = [
            (fleet.pivot, { try Self.database(in: $0, "CURRENT") }, ["storage-corrupt", "storage-failed"]),
            (fleet.pivot, { try Self.database(in: $0, "MANIFEST") }, ["storage-corrupt", "storage-failed"]),
            (fleet.nodes[0], { try Self.database(in: $0, "MANIFEST") }, ["storage-corrupt", "storage-failed"]),
            (fleet.pivot, { "\($0)/keys/led-pivot.key" }, ["key-malformed"]),
            (fleet.nodes[0], { "\($0)/keys/node.key" }, ["key-malformed"]),
            (fleet.pivot, { "\($0)/led.certificate" }, ["certificate-unusable"]),
            (fleet.pivot, { "\($0)/format" }, ["data-newer-format", "data-not-gimbal"]),
        ]
        for (server, find, codes) in rows {
            let file = try find(server.folder)
            let whole = try #require(manager.contents(atPath: file), "\(file)")
            var broken = whole
            for index in stride(from: broken.count / 3, to: broken.count, by: 5) { broken[index] ^= 0x55 }
            try broken.write(to: URL(fileURLWithPath: file))
            let arguments = server === fleet.pivot ? [] : ["--pivot", fleet.pivot.url]
            let run = try Binaries.run(server === fleet.pivot ? "pivot" : "node", ["--data", server.folder] + arguments)
            #expect(run.status == 74, "\(file): \(run.status) \(run.errors)")
            #expect(codes.contains { run.errors.contains("error [\($0)]: ") }, "\(file): \(run.errors)")
            #expect(manager.contents(atPath: file) == broken, "\(file) was written over")
            try whole.write(to: URL(fileURLWithPath: file))
        }
        for server in fleet.everyone { try await server.start() }
        for server in fleet.everyone { #expect(try await server.local("things/199") == "199") }
    }

    /// The replicated space's file whose name begins so.
    private static func database(in folder: String, _ prefix: String) throws -> String {
        let spaces = try FileManager.default.contentsOfDirectory(atPath: "\(folder)/spaces").filter { $0 != "local" }
        let space = "\(folder)/spaces/\(try #require(spaces.first))"
        let name = try FileManager.default.contentsOfDirectory(atPath: space).filter { $0.hasPrefix(prefix) }.sorted().last
        return "\(space)/\(try #require(name))"
    }
}
