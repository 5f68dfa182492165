import Foundation
import NIOHTTP1
import Testing

/// What lies in the local space moves into a space whose patterns come to hold its path.
@Suite(.serialized, .cleansUp)
struct TakeoverTests {
    private func pivot(_ folder: String, _ patterns: [String]) -> Server {
        Server("pivot", name: "pivot", folder: folder, arguments: patterns.flatMap { ["--sync", $0] } + ["--open-enrollment"])
    }

    private func count(_ server: Server, _ pattern: String) async throws -> Int {
        let list = try await server.send(.GET, "/\(pattern)", headers: ["Gimbal-Read": "local"]).body
        return list.matches(of: /"path":/).count
    }

    @Test("at the pivot, however often it is killed meanwhile; nothing is lost and nothing comes back")
    func atThePivot() async throws {
        let fleet = try await Fleet(nodes: 1, patterns: ["things/*"])
        for number in 0..<300 { try await fleet.pivot.set("other/\(number)", "\(number)") }
        try await fleet.pivot.set("single", "true")
        #expect(try await count(fleet.nodes[0], "other/*") == 0)
        fleet.pivot.stop()
        let port = try #require(URL(string: fleet.pivot.url)?.port)
        for _ in 0..<6 {
            let process = Process()
            process.executableURL = try Binaries.url("pivot")
            process.arguments = [
                "--listen", "127.0.0.1:\(port)", "--data", fleet.pivot.folder, "--sync", "things/*", "--sync", "other/*",
                "--sync",
                "single",
            ]
            process.standardOutput = FileHandle.nullDevice
            process.standardError = FileHandle.nullDevice
            try process.run()
            try await Task.sleep(for: .milliseconds(Int.random(in: 20...250)))
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
        let grown = pivot(fleet.pivot.folder, ["other/*", "single"])
        try await grown.start()
        #expect(try await count(grown, "other/*") == 300)
        #expect(try await grown.local("single") == "true")
        try await grown.set("other/7", #""newer""#)
        try await grown.delete("other/8")
        grown.stop()
        try await grown.start()
        #expect(try await grown.local("other/7") == #""newer""#)
        #expect(try await grown.local("other/8") == nil)
        #expect(try await count(grown, "other/*") == 299)
        fleet.nodes[0].stop()
        let node = Server("node", name: "node", folder: fleet.nodes[0].folder, arguments: ["--pivot", grown.url])
        try await node.start()
        try await eventually("the node has it all") { try await count(node, "other/*") == 299 }
        #expect(try await node.local("single") == "true")
    }

    @Test("at a node, when it learns of the new pattern; the newer of two values stands")
    func atANode() async throws {
        let fleet = try await Fleet(nodes: 2, patterns: ["things/*"])
        let (first, second) = (fleet.nodes[0], fleet.nodes[1])
        try await first.set("other/a", #""of the first""#)
        try await second.set("other/a", #""of the second, later""#)
        try await first.set("other/b", #""only there""#)
        fleet.pivot.stop()
        try await fleet.pivot.start(with: ["--sync", "other/*"])
        try await eventually("the pivot has what lay at the nodes") {
            let values = [try await fleet.pivot.local("other/a"), try await fleet.pivot.local("other/b")]
            return values[0] != nil && values[1] == #""only there""#
        }
        try await fleet.settles()
        let value = try #require(try await fleet.pivot.local("other/a"))
        try await fleet.converges("other/a", to: value)
        #expect(value.contains("of the"))
    }
}
