import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import Synchronization
import Testing

struct Unexpected: Error, CustomStringConvertible {
    var description: String
}

/// One running server: a real process on a real folder. Killed when its test ends.
final class Server: Sendable {
    let name: String
    let folder: String
    private let program: String
    private let arguments: [String]
    private let environment: [String: String]
    private let state: Mutex<State>

    private struct State {
        var process: Process?
        var address = ""
        var port = 0
    }

    /// - Parameter environment: added to that of the tests.
    init(_ program: String, name: String, folder: String, arguments: [String], environment: [String: String] = [:]) {
        self.program = program
        self.name = name
        self.folder = folder
        self.arguments = arguments
        self.environment = environment
        state = Mutex(State())
        TestEnd.current?.atEnd { [self] in kill() }
    }

    var url: String { "http://\(state.withLock { $0.address })" }
    var port: Int { state.withLock { $0.port } }

    /// Starts it, again on the same port when it ran before, and returns when it says where it listens.
    func start(with more: [String] = []) async throws {
        let port = state.withLock { $0.port }
        let process = Process()
        process.executableURL = try Binaries.url(program)
        process.arguments = ["--listen", "127.0.0.1:\(port)", "--data", folder] + arguments + more
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let output = Pipe()
        process.standardOutput = output
        let log = "\(folder).log"
        _ = FileManager.default.createFile(atPath: log, contents: nil)
        process.standardError = FileHandle(forWritingAtPath: log)
        try process.run()
        let said = { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }
        let line = try #require(Self.firstLine(output), "\(name) ended: \(said())")
        let address = String(line.dropFirst("listening on ".count))
        try #require(line.hasPrefix("listening on 127.0.0.1:"))
        state.withLock { state in
            state.process = process
            state.address = address
            state.port = Int(address.split(separator: ":")[1]) ?? 0
        }
    }

    private static func firstLine(_ pipe: Pipe) -> String? {
        var line: [UInt8] = []
        while let byte = try? pipe.fileHandleForReading.read(upToCount: 1)?.first {
            if byte == UInt8(ascii: "\n") { return String(decoding: line, as: UTF8.self) }
            line.append(byte)
        }
        return nil
    }

    /// What it has logged since it was started.
    func log() throws -> String { try String(contentsOfFile: "\(folder).log", encoding: .utf8) }

    func kill() { state.withLock { $0.process?.kill() } }

    func signal(_ number: Int32) { state.withLock { $0.process.map { _ = Foundation.kill($0.processIdentifier, number) } } }
    /// Stops it without a word to anybody, until `resume`.
    /// What the system lets it have from now on, as `prlimit` is told, such as `--fsize=65536:unlimited`.
    func limit(_ resource: String) throws {
        let tool = Process()
        tool.executableURL = URL(fileURLWithPath: "/usr/bin/prlimit")
        tool.arguments = ["--pid", "\(state.withLock { $0.process?.processIdentifier ?? 0 })", resource]
        try tool.run()
        tool.waitUntilExit()
        try #require(tool.terminationStatus == 0, "prlimit \(resource)")
    }

    func pause() { state.withLock { _ = $0.process?.suspend() } }
    func resume() { state.withLock { _ = $0.process?.resume() } }

    /// Asks it to stop and waits for it. Returns its exit status.
    @discardableResult
    func stop() -> Int32 {
        state.withLock { state in
            state.process?.terminate()
            state.process?.waitUntilExit()
            return state.process?.terminationStatus ?? -1
        }
    }

    // MARK: Requests

    struct Reply {
        var status: Int
        var headers: HTTPHeaders
        var body: String
    }

    func send(
        _ method: HTTPMethod, _ path: String, _ body: String? = nil, headers: [String: String] = [:]
    ) async throws -> Reply {
        var request = HTTPClientRequest(url: url + path)
        request.method = method
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let body { request.body = .bytes(ByteBuffer(string: body)) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(20))
        let bytes = try await response.body.collect(upTo: 64 << 20)
        return Reply(status: Int(response.status.code), headers: response.headers, body: String(buffer: bytes))
    }

    func set(_ path: String, _ value: String) async throws {
        let reply = try await send(.POST, "/\(path)", value)
        try #require(reply.status == 200, "POST \(path) at \(name): \(reply.status) \(reply.body)")
    }

    /// Returns the path of the new member.
    func push(_ collection: String, _ value: String) async throws -> String {
        let reply = try await send(.POST, "/\(collection)/*", value)
        try #require(reply.status == 200, "push at \(name): \(reply.status) \(reply.body)")
        let index = try #require(reply.body.split(separator: "\"").dropFirst(3).first)
        return "\(collection)/\(index)"
    }

    func delete(_ path: String) async throws {
        let reply = try await send(.DELETE, "/\(path)")
        try #require(reply.status == 204, "DELETE \(path) at \(name): \(reply.status) \(reply.body)")
    }

    /// The value that this server's own copy holds; nil when there is none.
    func local(_ path: String) async throws -> String? {
        let reply = try await send(.GET, "/\(path)", headers: ["Gimbal-Read": "local"])
        if reply.status == 404 { return nil }
        // Thrown, not recorded: whoever polls may ask too early.
        guard reply.status == 200 else { throw Unexpected(description: "GET \(path) at \(name): \(reply.status) \(reply.body)") }
        return Self.data(reply.body)
    }

    /// What stands under `data` in a meta object: its last field.
    static func data(_ object: String) -> String? {
        object.range(of: "\"data\":").map { String(object[$0.upperBound...].dropLast()) }
    }

    func isReady() async -> Bool { (try? await send(.GET, "/_health/ready").status) == 200 }

    func status() async throws -> [String: Any] {
        let reply = try await send(.GET, "/_gimbal/status")
        return try #require(try JSONSerialization.jsonObject(with: Data(reply.body.utf8)) as? [String: Any])
    }
}

extension Process {
    fileprivate func kill() {
        guard isRunning else { return }
        Foundation.kill(processIdentifier, SIGKILL)
        waitUntilExit()
    }
}

/// Where the programs under test are: beside the test bundle.
enum Binaries {
    static func url(_ name: String) throws -> URL {
        var folder = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        for _ in 0..<6 {
            let candidate = folder.appendingPathComponent(name)
            if FileManager.default.isExecutableFile(atPath: candidate.path) { return candidate }
            folder.deleteLastPathComponent()
        }
        let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        let build = here.appendingPathComponent("../../.build/release/\(name)")
        try #require(FileManager.default.isExecutableFile(atPath: build.path), "\(name) is not built: swift build -c release")
        return build
    }

    /// Runs a program to its end, which comes after two minutes at the latest: a server that should have refused to start would
    /// run for ever.
    ///
    /// - Parameter input: what it reads from standard input.
    static func run(
        _ name: String, _ arguments: [String], input: String? = nil
    ) throws -> (status: Int32, output: String, errors: String) {
        let process = Process()
        process.executableURL = try url(name)
        process.arguments = arguments
        let output = Pipe()
        let errors = Pipe()
        process.standardOutput = output
        process.standardError = errors
        let source = Pipe()
        process.standardInput = source
        try process.run()
        let identifier = process.processIdentifier
        let end = DispatchWorkItem { _ = Foundation.kill(identifier, SIGKILL) }
        DispatchQueue.global().asyncAfter(deadline: .now() + 120, execute: end)
        defer { end.cancel() }
        source.fileHandleForWriting.write(Data((input ?? "").utf8))
        try source.fileHandleForWriting.close()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        let errorText = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text, errorText)
    }
}

/// A pivot and its nodes in a folder of their own, removed when their test ends.
final class Fleet: Sendable {
    let folder: String
    let pivot: Server
    let nodes: [Server]

    /// - Parameter patterns: of the space.
    init(
        nodes count: Int = 2, patterns: [String] = ["things/*", "settings"], pivotFlags: [String] = ["--open-enrollment"],
        environment: [String: String] = [:]
    ) async throws {
        let name = "gimbal-\(UUID().uuidString.prefix(8))"
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(name).path
        self.folder = folder
        // Before any server is told to end there: what was said last is done first.
        TestEnd.current?.atEnd { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        pivot = Server(
            "pivot", name: "pivot", folder: "\(folder)/pivot", arguments: patterns.flatMap { ["--sync", $0] } + pivotFlags,
            environment: environment)
        try await pivot.start()
        var started: [Server] = []
        for index in 0..<count {
            let node = Server(
                "node", name: "node \(index)", folder: "\(folder)/node\(index)", arguments: ["--pivot", pivot.url],
                environment: environment)
            try await node.start()
            started.append(node)
        }
        nodes = started
        for node in nodes { try await eventually("\(node.name) is ready") { await node.isReady() } }
    }

    var everyone: [Server] { [pivot] + nodes }

    /// Waits until every server's own copy holds this value (nil: nothing) at the path.
    func converges(_ path: String, to value: String?) async throws {
        for server in everyone {
            try await eventually("\(server.name) holds \(value ?? "nothing") at \(path)") {
                try await server.local(path) == value
            }
        }
    }

    /// Waits until the outboxes are empty and all states have one digest.
    func settles() async throws {
        try await eventually("outboxes empty and digests equal") { [everyone, nodes] in
            var digests: Set<String> = []
            for node in nodes where try await node.status()["outbox"] as? Int != 0 { return false }
            for server in everyone { digests.insert(try await server.status()["stateDigest"] as? String ?? "") }
            return digests.count == 1
        }
    }
}

/// Polls until a condition holds, generously: a test says what must happen, not how fast.
func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(30)
    var polls = 0
    // Time alone says nothing where other tests keep every thread busy: it has to have been asked often, too.
    while ContinuousClock.now < deadline || polls < 300 {
        if (try? await condition()) == true { return }
        polls += 1
        try await Task.sleep(for: .milliseconds(20))
    }
    try #require(Bool(false), "never happened: \(what)")
}
