import Foundation
import Testing

/// A first start that is cut off, at any point, leaves a folder that starts.
@Suite(.serialized, .cleansUp)
struct FirstStartTests {
    private static let strace = "/usr/bin/strace"
    private static let hasStrace = FileManager.default.isExecutableFile(atPath: strace)

    /// Runs a program that is killed before its `count`th call of one kind, in any thread.
    ///
    /// - Returns: whether it got as far as to be killed.
    private func run(_ program: String, _ arguments: [String], killedBefore call: String, _ count: Int) throws -> Bool {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.strace)
        process.arguments =
            ["-f", "-qq", "-o", "/dev/null", "-e", "trace=\(call)", "-e", "inject=\(call):signal=KILL:when=\(count)"]
            + [try Binaries.url(program).path, "--listen", "127.0.0.1:0"] + arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let line = try output.fileHandleForReading.read(upToCount: 1)
        let isKilled = line?.isEmpty ?? true
        // strace passes it on to what it traces.
        process.terminate()
        process.waitUntilExit()
        return isKilled
    }

    @Test(
        "a first start that is killed before any step on its files can be done again",
        .enabled(if: hasStrace, "strace is not installed"),
        arguments: ["pivot", "node"], ["mkdir", "rename", "link", "fsync"])
    func cutOff(program: String, call: String) async throws {
        let fleet = try await Fleet(nodes: 0)
        let more = program == "node" ? ["--pivot", fleet.pivot.url] : []
        var count = 0
        while true {
            count += 1
            let folder = "\(fleet.folder)/\(call)-\(count)"
            guard try run(program, ["--data", folder] + more, killedBefore: call, count) else { break }
            let server = Server(program, name: "\(program) after \(call) \(count)", folder: folder, arguments: more)
            try await server.start()
            if program == "pivot" { try await server.set("things/a", "1") }
            let status = try await server.status()
            #expect((status["fault"] as? [String: Any])?["code"] == nil, "\(call) \(count)")
            server.kill()
            let left = try FileManager.default.subpathsOfDirectory(atPath: folder).filter { $0.hasSuffix(".new") }
            #expect(left.isEmpty)
        }
        #expect(count > 1)
    }

    @Test("what first starts of older versions left behind is completed or removed")
    func olderLeftovers() async throws {
        let fleet = try await Fleet(nodes: 0)
        for (program, key) in [("pivot", "led-pivot"), ("pivot", "led-root"), ("pivot", "local-root"), ("node", "node")] {
            let folder = "\(fleet.folder)/\(key)"
            try FileManager.default.createDirectory(
                atPath: "\(folder)/keys", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            for name in ["keys/\(key).key", "format.new", "lock"] {
                try Data().write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
            }
            let more = program == "node" ? ["--pivot", fleet.pivot.url] : []
            let server = Server(program, name: key, folder: folder, arguments: more)
            try await server.start()
            if program == "node" { try await eventually("the node serves") { await server.isReady() } }
            #expect(!FileManager.default.fileExists(atPath: "\(folder)/format.new"))
        }
    }

    @Test("two processes on one folder: the second is told so and changes nothing")
    func twoProcesses() async throws {
        let fleet = try await Fleet(nodes: 0)
        let run = try Binaries.run("pivot", ["--data", fleet.pivot.folder])
        #expect(run.status == 74)
        #expect(run.errors.hasPrefix("error [data-in-use]: "), "\(run.errors)")
        try await fleet.pivot.set("things/a", "1")
    }

    @Test("somebody else's folder is refused and nothing is put into it")
    func foreignFolder() async throws {
        let fleet = try await Fleet(nodes: 0)
        let folder = "\(fleet.folder)/documents"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Data("mine".utf8).write(to: URL(fileURLWithPath: "\(folder)/letter.txt"))
        let run = try Binaries.run("pivot", ["--data", folder])
        #expect(run.status == 74)
        #expect(run.errors.hasPrefix("error [data-not-gimbal]: "), "\(run.errors)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["letter.txt"])
    }
}
