import Foundation
import NIOHTTP1
import TestFiles
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
            ["-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=\(call)", "-e", "inject=\(call):signal=KILL:when=\(count)"]
            + [try Binaries.url(program).path, "--listen", "127.0.0.1:0"] + arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let line = try output.fileHandleForReading.read(upToCount: 1)
        let isKilled = line?.isEmpty ?? true
        // With -D the program is the child, and strace watches from aside.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        return isKilled
    }

    @Test(
        "a first start that is killed before any step on its files can be done again",
        .enabled(if: hasStrace, "strace is not installed"),
        arguments: [
            ("pivot", "mkdir", 1), ("pivot", "rename", 1), ("pivot", "link", 1), ("pivot", "fsync", 3), ("node", "rename", 1),
            ("node", "fsync", 4),
        ])
    func cutOff(program: String, call: String, stride: Int) async throws {
        let fleet = try await Fleet(nodes: 0)
        let more = program == "node" ? ["--pivot", fleet.pivot.url] : []
        var count = 0
        while true {
            count += stride
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
        #expect(count > stride)
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

    @Test(
        "a first start on a disk that is full says so, and goes on when there is room",
        .enabled(if: TemporaryDisk.isAvailable, "\(TemporaryDisk.reason)"), arguments: [0, 4096, 16384])
    func fullDisk(room: Int) async throws {
        let disk = try TemporaryDisk(megabytes: 64)
        try disk.fill(leaving: room)
        let folder = "\(disk.path)/data"
        let run = try Binaries.run("pivot", ["--data", folder])
        #expect(run.status == 74)
        let codes = ["data-not-writable", "key-not-writable", "storage-full"]
        #expect(codes.contains { run.errors.contains("error [\($0)]: ") }, "\(run.errors)")
        disk.empty()
        let server = Server("pivot", name: "pivot", folder: folder, arguments: [])
        // The harness writes beside the folder.
        try await server.start()
        try await server.set("things/a", "1")
        #expect(try await server.send(.GET, "/things/a").status == 200)
        server.kill()
        withExtendedLifetime(disk) {}
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
