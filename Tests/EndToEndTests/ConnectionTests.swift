import Foundation
import NIOHTTP1
import Testing

/// Connections that end early, late or never: each costs itself alone.
@Suite(.serialized, .cleansUp)
struct ConnectionTests {
    /// A pivot with timeouts of a second.
    private func impatient(_ more: String = "") async throws -> (Fleet, Server) {
        let fleet = try await Fleet(nodes: 0)
        let file = "\(fleet.folder)/timeouts.json"
        let text = """
            {"timeouts": {"silentSeconds": 2, "headSeconds": 1, "bodySeconds": 1, "idleSeconds": 2, "writeSeconds": 1}\(more)}
            """
        try Data(text.utf8).write(to: URL(fileURLWithPath: file))
        let server = Server("pivot", name: "impatient", folder: "\(fleet.folder)/impatient", arguments: ["--config", file])
        try await server.start()
        return (fleet, server)
    }

    @Test("a client that ends its side and waits still gets its answers, of both kinds and in order")
    func halfClosed() async throws {
        let fleet = try await Fleet(nodes: 1)
        for server in fleet.everyone {
            let rows: [(String, [String])] = [
                ("POST /things/half HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n7", ["{\"index\":\"half\"}"]),
                ("GET /things/half HTTP/1.1\r\nHost: x\r\n\r\n", ["\"data\":7}"]),
                ("GET /things/* HTTP/1.1\r\nHost: x\r\n\r\n", ["\"data\":7}]"]),
                ("GET /_health/live HTTP/1.1\r\nHost: x\r\n\r\n", ["200 OK"]),
                (
                    "GET /things/* HTTP/1.1\r\nHost: x\r\n\r\nPOST /things/half HTTP/1.1\r\nHost: x\r\n"
                        + "Content-Length: 1\r\n\r\n7GET /things/half HTTP/1.1\r\nHost: x\r\n\r\n",
                    ["\"data\":7}]", "{\"index\":\"half\"}", "\"data\":7}"]
                ),
            ]
            for (request, parts) in rows {
                let answer = try RawConnection.exchange(request, port: server.port)
                var rest = answer[...]
                for part in parts {
                    let range = try #require(rest.range(of: part), "\(request): \(answer)")
                    rest = rest[range.upperBound...]
                }
            }
        }
    }

    @Test("a subscriber or follower that goes away is gone at once, also where it only ends its side")
    func gone() async throws {
        let fleet = try await Fleet(nodes: 1)
        fleet.nodes[0].kill()
        try await eventually("the pivot has noticed") {
            let reply = try await fleet.pivot.send(.GET, "/_pivot/health/nodes")
            return reply.body.contains(#""healthy":false"#)
        }
    }

    @Test("what is no HTTP gets 400, and what was asked before it is answered first")
    func malformed() async throws {
        let fleet = try await Fleet(nodes: 0)
        let port = fleet.pivot.port
        for text in ["nonsense\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "POST /things/x HTTP/1.1\r\nContent-Length: x\r\n\r\n"] {
            let answer = try RawConnection.exchange(text, port: port, endsAfterwards: false)
            #expect(answer.hasPrefix("HTTP/1.1 400 "), "\(text): \(answer)")
        }
        let pair = "POST /things/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1\u{0}\u{1}nonsense\r\n\r\n"
        let answer = try RawConnection.exchange(pair, port: port, endsAfterwards: false)
        #expect(answer.matches(of: /HTTP\/1\.1 (\d+)/).map(\.output.1) == ["200", "400"], "\(answer)")
        #expect(try await fleet.pivot.local("things/x") == "1")
        let cut = try RawConnection.exchange("POST /things/cut HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1234", port: port)
        #expect(!cut.contains("200 OK"))
        #expect(try await fleet.pivot.local("things/cut") == nil)
    }

    @Test("over the limit: 413 with its code, whether the length is said or not, on every route with a body")
    func tooLarge() async throws {
        let fleet = try await Fleet(nodes: 0)
        let value = "\"\(String(repeating: "x", count: 1 << 20))\""
        let chunk = String(value.utf8.count, radix: 16)
        for target in ["/things/x", "/things/x?a=b", "/things/*"] {
            let sized = "POST \(target) HTTP/1.1\r\nHost: x\r\nContent-Length: \(value.utf8.count)\r\n\r\n\(value)"
            let chunked =
                "POST \(target) HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\(chunk)\r\n\(value)\r\n0\r\n\r\n"
            for text in [sized, chunked] {
                let connection = try RawConnection(port: fleet.pivot.port)
                try connection.write(text)
                let answer = try connection.read(until: "\r\n\r\n")
                #expect(answer.hasPrefix("HTTP/1.1 413 "), "\(target): \(answer.prefix(300))")
                #expect(answer.lowercased().contains("gimbal-error: too-large"), "\(target): \(answer.prefix(300))")
            }
        }
        #expect(try await fleet.pivot.send(.GET, "/things/*").body == "[]")
    }

    @Test("silence, half a head, a head that comes byte by byte, half a body, a pause between requests: each has its end")
    func slow() async throws {
        let (_, server) = try await impatient()
        let rows: [(String, String, String?)] = [
            ("silence", "", ""),
            ("half a head", "GET /things/x HTTP/1.1\r\nHo", "408"),
            ("half a body", "POST /things/x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1", "408"),
            ("half a body, chunked", "POST /things/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n1\r\n", "408"),
            ("half of what is streamed", "POST /_gimbal/import HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1", nil),
            ("a pause", "GET /things/x HTTP/1.1\r\nHost: x\r\n\r\n", "404"),
        ]
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (name, text, status) in rows {
                group.addTask {
                    // Off the pool of tasks: it waits.
                    let answer = try await Waiting.run {
                        try RawConnection.exchange(text, port: server.port, endsAfterwards: false)
                    }
                    if let status {
                        #expect(answer.isEmpty ? status.isEmpty : answer.hasPrefix("HTTP/1.1 \(status) "), "\(name): \(answer)")
                    }
                }
            }
            group.addTask {
                let closed = try await Waiting.run {
                    try RawConnection.drip("GET /things/x HTTP/1.1\r\nHost: xxxxxxx", port: server.port)
                }
                #expect(closed, "a head byte by byte")
            }
            for try await _ in group {}
        }
        try await server.set("things/x", "1")
        let metrics = try await server.send(.GET, "/metrics").body
        for reason in ["first-request", "head", "body", "next-request"] {
            #expect(metrics.contains("gimbal_http_timeouts_total{waiting=\"\(reason)\"}"), "\(reason)")
        }
    }

    @Test("subscriptions and nodes that follow outlive every timeout")
    func quietButAlive() async throws {
        let (fleet, server) = try await impatient(#", "openEnrollment": true, "sync": ["things/*"]"#)
        let node = Server("node", name: "follower", folder: "\(fleet.folder)/follower", arguments: ["--pivot", server.url])
        try await node.start()
        try await eventually("the node is ready") { await node.isReady() }
        let socket = try RawConnection(port: server.port)
        try socket.write(
            "GET /things/* HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        #expect(try socket.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 101"))
        // Longer than all of them.
        try await Task.sleep(for: .seconds(6))
        try await node.set("things/late", "1")
        try await eventually("the pivot has it") { try await server.local("things/late") == "1" }
        #expect(try socket.read(until: "things/late").contains("snapshot"))
        let log = try String(contentsOfFile: "\(node.folder).log", encoding: .utf8)
        #expect(!log.contains("lost the pivot"), "\(log)")
    }

    @Test("a client that asks and asks and reads nothing is cut off, and costs no more than a buffer")
    func deafClient() async throws {
        let (_, server) = try await impatient()
        try await server.set("things/big", "\"\(String(repeating: "x", count: 1 << 19))\"")
        let before = try await metric("process_resident_memory_bytes", server)
        let clients = try (0..<4).map { _ in try RawConnection(port: server.port) }
        let asking = String(repeating: "GET /things/big HTTP/1.1\r\nHost: x\r\n\r\n", count: 500)
        for client in clients { try client.write(asking) }
        try await Task.sleep(for: .milliseconds(500))
        let during = try await metric("process_resident_memory_bytes", server)
        // 2,000 answers are a gigabyte.
        #expect(during - before < 200e6, "\(before) → \(during)")
        try await server.set("things/other", "1")
        try await eventually("all are cut off") {
            try await metric(#"gimbal_http_timeouts_total{waiting="reader"}"#, server) == 4
        }
        withExtendedLifetime(clients) {}
    }

    @Test("10,000 connections that say nothing cost only themselves")
    func silentCrowd() async throws {
        let (_, server) = try await impatient()
        try await server.set("things/x", "1")
        let crowd = try await Waiting.run { try (0..<10_000).map { _ in try RawConnection(port: server.port) } }
        for number in 0..<50 { try await server.set("things/x", "\(number)") }
        #expect(try await server.local("things/x") == "49")
        try await eventually("they are gone") { try await metric("gimbal_http_connections", server) < 100 }
        try await server.set("things/x", "50")
        withExtendedLifetime(crowd) {}
    }

    private func metric(_ name: String, _ server: Server) async throws -> Double {
        let text = try await server.send(.GET, "/metrics").body
        let line = text.split(separator: "\n").first { $0.hasPrefix("\(name) ") }
        return line.flatMap { Double($0.dropFirst(name.count + 1)) } ?? 0
    }
}

/// Blocking work beside the tasks.
enum Waiting {
    static func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            Thread { continuation.resume(with: Result { try body() }) }.start()
        }
    }
}
