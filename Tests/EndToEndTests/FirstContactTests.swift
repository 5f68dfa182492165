import Foundation
import NIOHTTP1
import TestFiles
import Testing

/// A node whose configured pivot is another than the stored one: what it serves until that one was asked, while it cannot be
/// reached, and while the disk does not take the change.
@Suite(.serialized, .cleansUp)
struct FirstContactTests {
    /// Two pivots with other data, and a node's folder that holds the first one's.
    private func pivots() async throws -> (first: Server, second: Server, folder: String) {
        let (first, second) = (try await Fleet(nodes: 0), try await Fleet(nodes: 0))
        for (pivot, value) in [(first.pivot, #""first""#), (second.pivot, #""second""#)] {
            try await pivot.set("settings", value)
            try await pivot.set("things/of-\(value.dropFirst().dropLast())", "1")
        }
        let node = follower("\(first.folder)/node", first.pivot.url)
        try await node.start()
        try await eventually("the node follows the first pivot") { try await node.local("settings") == #""first""# }
        node.stop()
        return (first.pivot, second.pivot, node.folder)
    }

    private func follower(_ folder: String, _ url: String, _ environment: [String: String] = [:]) -> Server {
        Server("node", name: "node", folder: folder, arguments: ["--pivot", url], environment: environment)
    }

    private func rescues(_ folder: String) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/rescue")) ?? []
    }

    private func fault(_ server: Server) async throws -> String? {
        (try await server.status()["fault"] as? [String: Any])?["code"] as? String
    }

    @Test("from the first answer on nothing of the old space is read as the new one's, no list is empty, no write is lost")
    func firstRequests() async throws {
        let (first, second, folder) = try await pivots()
        for turn in 0..<9 {
            let (pivot, name) = turn.isMultiple(of: 2) ? (second, "second") : (first, "first")
            let node = follower(folder, pivot.url)
            try await node.start()
            switch turn % 3 {
            case 0:
                let list = try await node.send(.GET, "/things/*")
                #expect(list.status == 503 || list.body.contains("of-\(name)"), "\(list.status) \(list.body)")
            case 1:
                let read = try await node.send(.GET, "/settings")
                #expect(read.status == 503 || Server.data(read.body) == "\"\(name)\"", "\(read.status) \(read.body)")
            default:
                let write = try await node.send(.POST, "/things/written-\(turn)", "1")
                if write.status == 200 {
                    try await eventually("it is at the pivot") { try await pivot.local("things/written-\(turn)") == "1" }
                }
                #expect([200, 503].contains(write.status))
            }
            try await eventually("the node follows the other pivot") { try await node.local("settings") == "\"\(name)\"" }
            try await eventually("it is ready") { await node.isReady() }
            node.stop()
        }
    }

    @Test("a pivot that says nothing: not ready and no write until it had its time, then the old copy, said to be that")
    func silentPivot() async throws {
        let (first, _, folder) = try await pivots()
        // Takes connections and never answers.
        let silent = try TCPListener { _, client in
            var buffer = [UInt8](repeating: 0, count: 1024)
            while Foundation.read(client, &buffer, buffer.count) > 0 {}
        }
        let node = follower(folder, "http://127.0.0.1:\(silent.port)", ["GIMBAL_CONNECT_SECONDS": "3"])
        try await node.start()
        #expect(await !node.isReady())
        #expect(try await node.send(.GET, "/settings").status == 503)
        #expect(try await node.send(.GET, "/things/*").headers.first(name: "Gimbal-Error") == "not-ready")
        #expect(try await node.send(.POST, "/settings", "1").status == 503)
        #expect(try await node.status()["ready"] as? Bool == false)
        try await eventually("the old copy is served") { await node.isReady() }
        #expect(try await fault(node) == "pivot-unreached")
        let read = try await node.send(.GET, "/settings")
        #expect(Server.data(read.body) == #""first""# && read.headers.first(name: "Gimbal-Freshness") == "local")
        #expect(try await node.send(.GET, "/settings", headers: ["Gimbal-Read": "latest"]).status == 503)
        try await node.set("things/meanwhile", "1")
        #expect(rescues(folder).isEmpty)
        node.stop()
        // Given up: nothing was lost.
        let back = follower(folder, first.url)
        try await back.start()
        try await eventually("what was written meanwhile is at the first pivot") {
            try await first.local("things/meanwhile") == "1"
        }
        #expect(try await fault(back) == nil)
    }

    @Test("a pivot that is not there yet: the old copy is served until it is, then the new space")
    func latePivot() async throws {
        let (_, second, folder) = try await pivots()
        second.stop()
        let node = follower(folder, second.url)
        try await node.start()
        try await eventually("the old copy is served") { await node.isReady() }
        #expect(try await node.local("settings") == #""first""#)
        #expect(try await fault(node) == "pivot-unreached")
        try await second.start()
        try await eventually("the new space is served") { try await node.local("settings") == #""second""# }
        #expect(rescues(folder).count == 1)
        try await eventually("no fault is left") { try await fault(node) == nil }
    }

    @Test(
        "a pivot change on a full disk ends nothing: the old space is served, the fault says why, and it is tried again",
        .enabled(if: TemporaryDisk.isAvailable, "\(TemporaryDisk.reason)"))
    func fullDisk() async throws {
        let disk = try TemporaryDisk(megabytes: 96)
        let (first, second) = (try await Fleet(nodes: 0), try await Fleet(nodes: 0))
        try await second.pivot.set("settings", #""second""#)
        let value = "\"\(String((0..<200_000).map { _ in "0123456789abcdef".randomElement() ?? "0" }))\""
        for number in 0..<30 { try await first.pivot.set("things/\(number)", value) }
        try await first.pivot.set("settings", #""first""#)
        // Through a link, so that its log is on another disk.
        let folder = "\(first.folder)/full"
        try FileManager.default.createDirectory(atPath: "\(disk.path)/data", withIntermediateDirectories: false)
        try FileManager.default.createSymbolicLink(atPath: folder, withDestinationPath: "\(disk.path)/data")
        let before = follower(folder, first.pivot.url)
        try await before.start()
        try await eventually("the node follows the first pivot") { try await before.local("settings") == #""first""# }
        before.stop()
        let changing = follower(folder, second.pivot.url)
        second.pivot.stop()
        try await changing.start()
        try await eventually("the old copy is served") { await changing.isReady() }
        // Room for the databases that are open, and not for a bundle.
        try disk.fill(leaving: 1 << 20)
        try await second.pivot.start()
        try await eventually("the fault says why") { try await fault(changing) == "pivot-change-failed" }
        #expect(try await changing.local("settings") == #""first""#)
        #expect(try await changing.local("things/9") == value)
        #expect(try await changing.send(.GET, "/settings").headers.first(name: "Gimbal-Freshness") == "local")
        #expect(rescues(folder).isEmpty, "half a bundle takes no room")
        disk.empty()
        try await eventually("the change happens") { try await changing.local("settings") == #""second""# }
        #expect(rescues(folder).count == 1)
        #expect(try await changing.local("things/9") == nil)
        changing.kill()
        // The compiler may let it go after its last use.
        withExtendedLifetime(disk) {}
    }
}
