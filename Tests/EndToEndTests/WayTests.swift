import Foundation
import NIOHTTP1
import Testing

/// What stands between a node and its pivot, and what it answers in the pivot's place: shown, waited out, gone when it goes.
@Suite(.serialized, .cleansUp)
struct WayTests {
    /// A node that speaks to its pivot through something.
    private func fleet() async throws -> (way: HTTPInterceptor, pivot: Server, node: Server) {
        let fleet = try await Fleet(nodes: 0)
        let way = try HTTPInterceptor(to: fleet.pivot.port)
        let node = Server("node", name: "node", folder: "\(fleet.folder)/node", arguments: ["--pivot", way.url])
        try await node.start()
        try await eventually("the node is ready") { await node.isReady() }
        return (way, fleet.pivot, node)
    }

    private func fault(_ server: Server) async throws -> (code: String, detail: String)? {
        guard let fault = try await server.status()["fault"] as? [String: Any] else { return nil }
        return (fault["code"] as? String ?? "", fault["detail"] as? String ?? "")
    }

    @Test("a push that something on the way refuses is a fault that says what came, tried again with growing pauses")
    func refusedPushes() async throws {
        let (way, pivot, node) = try await fleet()
        let rows = [
            ("413 Request Entity Too Large", [String]()), ("301 Moved Permanently", ["Location: https://elsewhere/"]),
            ("429 Too Many Requests", ["Retry-After: 2"]), ("502 Bad Gateway", []), ("200 OK", []),
        ]
        for (number, (status, headers)) in rows.enumerated() {
            let before = way.answers
            way.intercept { request in
                guard request.line.hasPrefix("POST"), request.line.hasSuffix("/push") else { return nil }
                return HTTPInterceptor.answer(status, "<html><h1>\(status)</h1>\r\n<hr>front</html>", headers)
            }
            try await node.set("things/a", "\(number)")
            try await eventually("\(status) is shown") {
                guard let fault = try await fault(node) else { return false }
                return fault.code == "push-refused" && fault.detail.contains("\(status.prefix(3)) \(status) front")
            }
            // Down is another matter than up.
            try await pivot.set("things/down", "\(number)")
            let read = try await node.send(.GET, "/things/down", headers: ["Gimbal-Read": "latest"])
            #expect(read.status == 200 && Server.data(read.body) == "\(number)", "\(read.status) \(read.body)")
            try await Task.sleep(for: .seconds(1))
            #expect(way.answers - before <= 4, "\(status): no storm of pushes")
            #expect(try node.log().matches(of: /push-refused/).count == number + 1, "once for each reason")
            way.intercept(nil)
            try await eventually("it arrives once the way is free") { try await pivot.local("things/a") == "\(number)" }
            try await eventually("the fault goes") { try await fault(node) == nil }
        }
        let metrics = try await node.send(.GET, "/metrics").body
        for (status, _) in rows { #expect(metrics.contains(#"verdict="status-\#(status.prefix(3))""#)) }
    }

    @Test("a proxy with a limit on bodies lets an outbox of any size through, in parts", arguments: [1 << 20, 700_000])
    func bodyLimit(_ limit: Int) async throws {
        let (way, pivot, node) = try await fleet()
        way.intercept { _ in HTTPInterceptor.answer("503 Service Unavailable") }
        let value = "\"\(String(repeating: "x", count: 50_000))\""
        for number in 0..<60 { try await node.set("things/\(number)", value) }
        way.intercept { request in
            request.contentLength > limit ? HTTPInterceptor.answer("413 Request Entity Too Large") : nil
        }
        try await eventually("the outbox is empty") { try await node.status()["outbox"] as? Int == 0 }
        for number in [0, 30, 59] { #expect(try await pivot.local("things/\(number)") == value) }
        #expect(try await fault(node) == nil)
        let log = try node.log()
        #expect(!log.contains("413"), "nobody has to know")
    }

    @Test("a value larger than usual limits goes where the way allows it")
    func largeValue() async throws {
        let (way, pivot, node) = try await fleet()
        way.intercept { request in
            request.contentLength > 2 << 20 ? HTTPInterceptor.answer("413 Request Entity Too Large") : nil
        }
        let value = "\"\(String(repeating: "y", count: 1_040_000))\""
        try await node.set("things/large", value)
        try await node.set("things/after", "1")
        try await eventually("both arrive") { try await pivot.local("things/after") == "1" }
        #expect(try await pivot.local("things/large") == value)
    }

    @Test("one damaged answer is a fault until the next good contact, on a quiet space too")
    func damagedAnswer() async throws {
        let (way, _, node) = try await fleet()
        try await node.set("things/a", "1")
        try await eventually("the outbox is empty") { try await node.status()["outbox"] as? Int == 0 }
        node.stop()
        way.intercept { request in
            request.line.hasSuffix("/join") ? HTTPInterceptor.answer("200 OK", "damaged", type: "application/cose") : nil
        }
        try await node.start()
        try await eventually("it is shown") { try await fault(node)?.code == "bad-page" }
        way.intercept(nil)
        try await eventually("it goes without a write") { try await fault(node) == nil }
        try await eventually("reads are the pivot's") {
            try await node.send(.GET, "/things/a", headers: ["Gimbal-Read": "latest"]).status == 200
        }
    }

    @Test("whatever answers a join in the pivot's place is shown as that, not as another space")
    func refusedJoin() async throws {
        let (way, _, node) = try await fleet()
        node.stop()
        way.intercept { _ in HTTPInterceptor.answer("403 Forbidden", "<b>log in first</b>") }
        try await node.start()
        try await eventually("it is shown") {
            guard let fault = try await fault(node) else { return false }
            return fault.code == "way-refused" && fault.detail.contains("403 log in first")
        }
        way.intercept(nil)
        try await eventually("it goes") { try await fault(node) == nil }
    }

    @Test("the wait before a node follows again does not grow with the cuts of its life")
    func cuts() async throws {
        let fleet = try await Fleet(nodes: 0)
        let relay = try TCPRelay(to: UInt16(fleet.pivot.port))
        let node = Server("node", name: "node", folder: "\(fleet.folder)/node", arguments: ["--pivot", relay.url])
        try await node.start()
        try await eventually("the node is ready") { await node.isReady() }
        var waits: [Duration] = []
        for number in 0..<12 {
            relay.interrupt()
            try await fleet.pivot.set("settings", "\(number)")
            let begin = ContinuousClock.now
            try await eventually("it follows again") { try await node.local("settings") == "\(number)" }
            waits.append(ContinuousClock.now - begin)
            try await Task.sleep(for: .milliseconds(100))
        }
        let (first, last) = (waits.prefix(4).reduce(.zero, +), waits.suffix(4).reduce(.zero, +))
        #expect(last < first * 4 + .seconds(4), "\(waits)")
    }

    @Test("a pivot below the path of a proxy: what is signed is the path behind it")
    func prefix() async throws {
        let fleet = try await Fleet(nodes: 0)
        // Strips the path from what it passes on, as nginx does.
        let port = UInt16(fleet.pivot.port)
        let proxy = try PrefixProxy(to: port, prefix: "/gimbal")
        let node = Server(
            "node", name: "node", folder: "\(fleet.folder)/node",
            arguments: ["--pivot", "HTTP://LOCALHOST:\(proxy.port)/gimbal/"])
        try await node.start()
        try await eventually("the node is ready") { await node.isReady() }
        try await node.set("things/a", "1")
        try await eventually("its write arrives") { try await fleet.pivot.local("things/a") == "1" }
        #expect(try await node.status()["pivotURL"] as? String == "http://localhost:\(proxy.port)/gimbal")
    }

    @Test("a time for connections that is none is refused", arguments: ["0", "-1", "4000", #""soon""#])
    func connectSeconds(_ value: String) throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("gimbal-\(UUID().uuidString).json")
        try Data(#"{"connectSeconds": \#(value)}"#.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let run = try Binaries.run("node", ["--data", "\(file.path).d", "--pivot", "http://127.0.0.1:1", "--config", file.path])
        #expect(run.status == 64 && run.errors.contains("connectSeconds"), "\(run.errors)")
    }

    @Test(
        "what of --pivot cannot be honoured is refused",
        arguments: [
            "http://u:p@127.0.0.1:1", "http://127.0.0.1:1/?x=1", "http://127.0.0.1:1#f", "http://127.0.0.1:65536",
            "http://127.0.0.1:99999999999999999999", "ftp://127.0.0.1", "http://", "http://::1:7000",
        ])
    func refusedURLs(_ url: String) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("gimbal-\(UUID().uuidString)").path
        let run = try Binaries.run("node", ["--data", folder, "--pivot", url])
        #expect(run.status == 64)
        #expect(run.errors.hasPrefix("error [usage]: --pivot takes a URL"), "\(run.errors)")
        #expect(!FileManager.default.fileExists(atPath: folder))
        let status = try Binaries.run("gimbal", ["status", url])
        #expect(status.status == 1 && status.errors.hasPrefix("error ["), "\(status.errors)")
    }
}

/// A proxy that passes on what stands below a path, without that path.
private final class PrefixProxy: Sendable {
    private let listener: TCPListener
    var port: UInt16 { listener.port }

    init(to port: UInt16, prefix: String) throws {
        listener = try TCPListener { listener, client in
            listener.relay(
                client, to: port,
                altering: { bytes in
                    let head = String(decoding: bytes.prefix(2048), as: UTF8.self)
                    guard let line = head.firstRange(of: " HTTP/1.1\r\n"), let at = head.firstRange(of: " \(prefix)/"),
                        at.upperBound < line.lowerBound
                    else { return }
                    let start = head.utf8.distance(from: head.startIndex, to: at.lowerBound) + 1
                    bytes.removeSubrange(start..<(start + prefix.utf8.count))
                })
        }
    }
}
