import Foundation
import NIOHTTP1
import Testing

/// The operator's tool, against a URL and through the door in the data folder.
@Suite(.serialized, .cleansUp)
struct ToolTests {
    @Test("get, set, push, delete, list and status: by URL, and by a data folder whose socket's path is too long for a socket")
    func commands() async throws {
        let fleet = try await Fleet(nodes: 0)
        let folder = "\(fleet.folder)/\(String(repeating: "long-", count: 30))/node"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let node = Server("node", name: "node", folder: folder, arguments: ["--pivot", fleet.pivot.url])
        try await node.start()
        try await eventually("the node is ready") { await node.isReady() }
        for (round, place) in [node.url, folder].enumerated() {
            #expect(try gimbal("set", place, "settings", #"{"round":\#(round)}"#) == #"{"index":"settings"}"#)
            #expect(try gimbal("get", place, "settings").hasSuffix(#""path":"settings","data":{"round":\#(round)}}"#))
            #expect(try gimbal("push", place, "things", "1").hasPrefix(#"{"index":""#))
            #expect(try gimbal("push", place, "things/*", "2").hasPrefix(#"{"index":""#))
            #expect(try gimbal("list", place, "things/*").matches(of: /"path":/).count == 2)
            #expect(try gimbal("list", place, "things/*", "--limit", "1").matches(of: /"path":/).count == 1)
            #expect(try gimbal("delete", place, "things/*") == "")
            #expect(try gimbal("list", place, "things/*") == "[]")
            #expect(try gimbal("delete", place, "settings") == "")
            let missing = try Binaries.run("gimbal", ["get", place, "settings"])
            #expect(missing.status == 1)
            #expect(missing.errors.hasPrefix("error [not-found]: "))
            let status = try gimbal("status", place)
            #expect(status.contains("role          node") && status.contains("ready         yes"))
        }
    }

    @Test("a long list comes page by page, newest first, each key once")
    func pages() async throws {
        let fleet = try await Fleet(nodes: 0)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<15 {
                group.addTask {
                    for number in 0..<150 { try await fleet.pivot.set("things/\(worker)-\(number)", "\(number)") }
                }
            }
            for try await _ in group {}
        }
        let text = try gimbal("list", fleet.pivot.url, "things/*")
        #expect(text.split(separator: "\n").count == 3)
        let paths = text.matches(of: /"path":"([^"]+)"/).map { String($0.output.1) }
        #expect(paths.count == 2250 && Set(paths).count == 2250)
        let times = text.matches(of: /"created":(\d+)/).compactMap { UInt64($0.output.1) }
        #expect(times == times.sorted(by: >))
        #expect(try gimbal("list", fleet.pivot.url, "things/*", "--limit", "1500").matches(of: /"path":/).count == 1500)
    }

    @Test("a value from standard input loses its line end and nothing else")
    func standardInput() async throws {
        let fleet = try await Fleet(nodes: 0)
        #expect(try Binaries.run("gimbal", ["set", fleet.pivot.url, "settings", "-"], input: "{\"a\": 1.0}\n").status == 0)
        #expect(try await fleet.pivot.local("settings") == #"{"a": 1.0}"#)
    }

    @Test("what goes wrong is one line with a code, and no file is left half written")
    func failures() async throws {
        let fleet = try await Fleet(nodes: 0)
        let output = "\(fleet.folder)/out.bundle"
        let rows: [([String], String)] = [
            (["get", "http://127.0.0.1:1", "x"], "unreachable"),
            (["get", "\(fleet.folder)/nowhere", "x"], "not-running"),
            (["set", fleet.pivot.url, "things/x", "nope"], "json-syntax"),
            (["set", fleet.pivot.url, "things//x", "1"], "invalid-path"),
            (["export", fleet.pivot.url, "a//b", "--output", output], "bad-pattern"),
            (["export", fleet.pivot.url, "--output", "\(fleet.folder)/none/out"], "not-writable"),
            (["verify", "\(fleet.folder)/none"], "unreadable"),
        ]
        for (arguments, code) in rows {
            let run = try Binaries.run("gimbal", arguments)
            #expect(run.status == 1, "\(arguments)")
            #expect(run.errors.hasPrefix("error [\(code)]: "), "\(arguments): \(run.errors)")
        }
        let left = try FileManager.default.contentsOfDirectory(atPath: fleet.folder)
        #expect(!left.contains { $0.hasPrefix("out.bundle") })
    }

    @Test("verify tells a bundle of another space, one that was cut off, and no bundle at all")
    func verify() async throws {
        let fleet = try await Fleet(nodes: 0)
        try await fleet.pivot.set("settings", "1")
        let file = "\(fleet.folder)/all.bundle"
        _ = try gimbal("export", fleet.pivot.url, "--output", file)
        let space = try #require(try await fleet.pivot.status()["space"] as? String)
        #expect(try Binaries.run("gimbal", ["verify", file, "--space", space]).status == 0)
        let other = try Binaries.run("gimbal", ["verify", file, "--space", String(repeating: "1", count: 64)])
        #expect(other.status == 2 && other.output.contains("[wrong-space]"))
        let machine = try gimbal("verify", file, "--json")
        let summary = try #require(try JSONSerialization.jsonObject(with: Data(machine.utf8)) as? [String: Any])
        #expect(summary["valid"] as? Bool == true && summary["space"] as? String == space)
        let bytes = try Data(contentsOf: URL(fileURLWithPath: file))
        for length in [0, 1, bytes.count / 3, bytes.count - 1] {
            try bytes.prefix(length).write(to: URL(fileURLWithPath: file))
            #expect(try Binaries.run("gimbal", ["verify", file]).status == 2, "\(length) of \(bytes.count) bytes")
        }
    }

    /// The output of a command that has to work, without its line end.
    private func gimbal(_ arguments: String...) throws -> String {
        let run = try Binaries.run("gimbal", arguments)
        try #require(run.status == 0, "gimbal \(arguments.joined(separator: " ")): \(run.errors)")
        return run.output.trimmingCharacters(in: .newlines)
    }
}
