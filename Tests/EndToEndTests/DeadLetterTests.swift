import Foundation
import Testing

/// What a pivot refused is kept until a person has seen it, whatever else happens to the node.
@Suite(.serialized, .cleansUp)
struct DeadLetterTests {
    private func letters(_ node: Server) throws -> String {
        try Binaries.run("gimbal", ["deadletters", "list", node.folder, "--json"]).output
    }

    @Test("found C8: dead letters survive a pivot change, in the list and beside the rescue bundle")
    func pivotChange() async throws {
        let first = try await Fleet(nodes: 1)
        let second = try await Fleet(nodes: 0)
        let node = first.nodes[0]
        let key = try Binaries.run("gimbal", ["key", node.folder]).output.trimmingCharacters(in: .newlines)
        first.pivot.kill()
        try await node.set("things/refused", #""by the first""#)
        node.kill()
        try await first.pivot.start()
        #expect(try Binaries.run("gimbal", ["member", "allow", first.pivot.folder, key, "settings"]).status == 0)
        try await node.start()
        try await eventually("the write is refused") { try letters(node).contains("things/refused") }
        node.stop()
        let moved = Server("node", name: "moved", folder: node.folder, arguments: ["--pivot", second.pivot.url])
        try await moved.start()
        let space = try await second.pivot.status()["space"] as? String
        try await eventually("the node follows the second pivot") { try await moved.status()["space"] as? String == space }
        #expect(try letters(moved).contains("things/refused"))
        let rescue = "\(node.folder)/rescue"
        let names = try FileManager.default.contentsOfDirectory(atPath: rescue).sorted()
        let file = try #require(names.first { $0.hasSuffix(".bundle.deadletters.json") }, "\(names)")
        #expect(try String(contentsOfFile: "\(rescue)/\(file)", encoding: .utf8).contains("by the first"))
    }
}
