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

    @Test("import: what a rescue bundle kept comes into its own space's log; as new it comes into any")
    func importing() async throws {
        let fleet = try await Fleet(nodes: 1)
        let other = try await Fleet(nodes: 0)
        try await fleet.nodes[0].set("things/sent", "1")
        try await fleet.settles()
        fleet.pivot.kill()
        try await fleet.nodes[0].set("things/unsent", #"{"kept":1.0}"#)
        fleet.nodes[0].stop()
        let moved = Server("node", name: "moved node", folder: fleet.nodes[0].folder, arguments: ["--pivot", other.pivot.url])
        try await moved.start()
        let rescue = "\(moved.folder)/rescue"
        try await eventually("the node has changed its pivot") {
            try await moved.status()["space"] as? String == other.pivot.status()["space"] as? String
        }
        let name = try #require(try FileManager.default.contentsOfDirectory(atPath: rescue).first)
        let bundle = "\(rescue)/\(name)"

        try await fleet.pivot.start()
        #expect(try await fleet.pivot.local("things/unsent") == nil)
        let refused = try Binaries.run("gimbal", ["import", other.pivot.url, bundle])
        #expect(refused.status != 0 && refused.errors.contains("[wrong-space]"), "\(refused.errors)")
        #expect(try gimbal("import", fleet.pivot.url, bundle).hasPrefix("1 deltas accepted,"))
        #expect(try await fleet.pivot.local("things/unsent") == #"{"kept":1.0}"#)
        #expect(try gimbal("import", fleet.pivot.url, bundle).hasPrefix("0 deltas accepted,"))

        #expect(try gimbal("import", "--as-new", other.pivot.url, bundle) == "2 values written as new")
        #expect(try await other.pivot.local("things/sent") == "1")
        #expect(try await moved.send(.GET, "/things/unsent").body.contains(#"{"kept":1.0}"#))
        let notPivot = try Binaries.run("gimbal", ["import", moved.url, bundle])
        #expect(notPivot.status != 0 && notPivot.errors.contains("[not-the-pivot]"), "\(notPivot.errors)")
    }

    @Test("inspect says what each of our files holds, and never a secret")
    func inspect() async throws {
        let fleet = try await Fleet(nodes: 0)
        try await fleet.pivot.set("settings", #""it's"# + #"\u0041""#)
        let file = "\(fleet.folder)/all.bundle"
        _ = try gimbal("export", fleet.pivot.url, "--output", file)
        let bundle = try gimbal("inspect", file)
        #expect(bundle.hasPrefix(#"0: ["gimbal.bundle.1", h'"#))
        #expect(bundle.contains(#"<<["gimbal.delta.1", "#))
        let key = "\(fleet.pivot.folder)/keys/led-pivot.key"
        let secret = try String(contentsOfFile: key, encoding: .utf8).split(separator: "\n")[1]
        let author = try #require(try await fleet.pivot.status()["author"] as? String)
        #expect(try gimbal("inspect", key) == "secret key of author \(author)")
        let folder = try gimbal("inspect", fleet.pivot.folder)
        #expect(folder.contains("led-pivot.key  author \(author)") && !folder.contains(secret))
        try Data([0x83, 0x01]).write(to: URL(fileURLWithPath: file))
        let cut = try Binaries.run("gimbal", ["inspect", file])
        #expect(cut.status != 0 && cut.errors.contains("[truncated]"), "\(cut.errors)")
    }

    /// The output of a command that has to work, without its line end.
    private func gimbal(_ arguments: String...) throws -> String {
        let run = try Binaries.run("gimbal", arguments)
        try #require(run.status == 0, "gimbal \(arguments.joined(separator: " ")): \(run.errors)")
        return run.output.trimmingCharacters(in: .newlines)
    }
}
