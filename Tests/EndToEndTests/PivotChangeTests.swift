import Foundation
import NIOHTTP1
import Testing

/// The hermit crab: a node wipes only on its operator's act, keeps a rescue bundle, and comes back.
@Suite(.serialized, .cleansUp)
struct PivotChangeTests {
    private func rescues(_ node: Server) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "\(node.folder)/rescue")) ?? []).sorted()
    }

    @Test("another pivot: rescue bundle, empty start, the old pivot keeps its data, going back shows it again")
    func change() async throws {
        let first = try await Fleet(nodes: 0)
        let second = try await Fleet(nodes: 0)
        try await first.pivot.set("things/a", #""first""#)
        try await second.pivot.set("settings", #""second""#)
        let folder = "\(first.folder)/node"
        let atFirst = Server("node", name: "node", folder: folder, arguments: ["--pivot", first.pivot.url])
        try await atFirst.start()
        try await eventually("the node follows the first pivot") { try await atFirst.local("things/a") == #""first""# }
        first.pivot.kill()
        try await atFirst.set("things/unsent", #""in the outbox""#)
        atFirst.stop()

        let atSecond = Server("node", name: "node", folder: folder, arguments: ["--pivot", second.pivot.url])
        try await atSecond.start()
        try await eventually("the node follows the second pivot") { try await atSecond.local("settings") == #""second""# }
        #expect(try await atSecond.local("things/a") == nil)
        let bundle = try #require(rescues(atSecond).first)
        let verified = try Binaries.run("gimbal", ["verify", "\(folder)/rescue/\(bundle)"])
        #expect(verified.status == 0, "\(verified.output)")
        #expect(verified.output.contains("in the outbox"))
        #expect(verified.output.contains("things/a"))
        atSecond.stop()

        try await first.pivot.start()
        #expect(try await first.pivot.local("things/a") == #""first""#)
        let back = Server("node", name: "node", folder: folder, arguments: ["--pivot", first.pivot.url])
        try await back.start()
        try await eventually("the first pivot's data is back") { try await back.local("things/a") == #""first""# }
        #expect(try await back.local("settings") == nil)
    }

    @Test("lesson 9: a new address of the same pivot wipes nothing")
    func newAddress() async throws {
        let fleet = try await Fleet(nodes: 1)
        try await fleet.nodes[0].set("things/a", "1")
        try await fleet.settles()
        fleet.nodes[0].stop()
        fleet.pivot.stop()
        let moved = Server(
            "pivot", name: "moved pivot", folder: fleet.pivot.folder, arguments: ["--open-enrollment"])
        try await moved.start()
        #expect(moved.url != fleet.pivot.url)
        let node = Server("node", name: "node", folder: fleet.nodes[0].folder, arguments: ["--pivot", moved.url])
        try await node.start()
        try await eventually("the node has found the space there") { await node.isReady() }
        #expect(try await node.local("things/a") == "1")
        try await node.set("things/b", "2")
        try await eventually("the node pushes to the new address") { try await moved.local("things/b") == "2" }
        #expect(rescues(node).isEmpty)
    }

    @Test("lesson 9: another space behind an unchanged URL wipes nothing; the node goes on serving")
    func strangerBehindTheName() async throws {
        let fleet = try await Fleet(nodes: 1)
        try await fleet.nodes[0].set("things/a", "1")
        try await fleet.settles()
        fleet.pivot.kill()
        try FileManager.default.moveItem(atPath: fleet.pivot.folder, toPath: fleet.pivot.folder + ".old")
        try await fleet.pivot.start()
        try await Task.sleep(for: .seconds(1))
        #expect(try await fleet.nodes[0].local("things/a") == "1")
        try await fleet.nodes[0].set("things/b", "2")
        #expect(try await fleet.pivot.local("things/a") == nil)
        fleet.nodes[0].stop()
        try await fleet.nodes[0].start()
        #expect(try await fleet.nodes[0].local("things/b") == "2")
        #expect(rescues(fleet.nodes[0]).isEmpty)
    }
}
