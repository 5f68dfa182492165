import Foundation
import NIOHTTP1
import Testing

/// `/?api=`, other origins, gzip: what browsers and explorers of the ooo protocol rely on.
@Suite(.serialized, .cleansUp)
struct ExplorerTests {
    @Test("the explorer's questions have their answers, on pivot and node")
    func explorer() async throws {
        let fleet = try await Fleet(nodes: 1)
        for name in ["things/b", "things/a", "settings", "elsewhere"] { try await fleet.pivot.set(name, "1") }
        try await fleet.settles()
        let ask = { (server: Server, query: String) async throws -> [String: Any] in
            let reply = try await server.send(.GET, "/?api=\(query)")
            #expect(reply.status == 200 && reply.body.hasSuffix("\n"))
            return try #require(try JSONSerialization.jsonObject(with: Data(reply.body.utf8)) as? [String: Any])
        }
        let keys = try await ask(fleet.pivot, "keys&limit=2")
        #expect(keys["total"] as? Int == 4 && (keys["keys"] as? [String])?.count == 2)
        #expect(try await ask(fleet.pivot, "keys&filter=things/")["keys"] as? [String] == ["things/a", "things/b"])
        #expect(try await ask(fleet.pivot, "keys&filter=*")["total"] as? Int == 2)
        #expect((try await ask(fleet.pivot, "keys&limit=3&page=2")["keys"] as? [String])?.count == 1)
        #expect(try await fleet.pivot.send(.GET, "/?api=keys&filter=a**").status == 400)
        #expect(try await ask(fleet.nodes[0], "pivot")["role"] as? String == "node")
        let nodes = try #require(try await ask(fleet.pivot, "pivot")["nodes"] as? [[String: Any]])
        #expect(nodes.first?["address"] as? String == fleet.nodes[0].url.replacingOccurrences(of: "http://", with: ""))
        #expect(try await ask(fleet.pivot, "filters")["paths"] as? [String] == ["things/*", "settings"])
        #expect(try await ask(fleet.pivot, "info")["name"] as? String == "gimbal pivot")
        #expect(try await ask(fleet.pivot, "state")["totalConnections"] as? Int == 0)
        let page = try await fleet.pivot.send(.GET, "/")
        #expect(page.headers.first(name: "content-type") == "text/html; charset=utf-8" && page.body.contains("Gimbal"))
    }

    @Test("pages of origins that were named may use the client API and see our headers, and no others may")
    func crossOrigin() async throws {
        let fleet = try await Fleet(nodes: 0, pivotFlags: ["--allow-origin", "http://example.org"])
        try await fleet.pivot.set("settings", "1")
        for target in ["/settings", "/things/*"] {
            let reply = try await fleet.pivot.send(.GET, target, headers: ["Origin": "http://example.org"])
            #expect(reply.status == 200 && reply.headers.first(name: "access-control-allow-origin") == "http://example.org")
            #expect(reply.headers["vary"].contains { $0.contains("Origin") })
            #expect(reply.headers.first(name: "access-control-expose-headers")?.contains("Gimbal-Error") == true)
            #expect(try await fleet.pivot.send(.GET, target).headers.first(name: "access-control-allow-origin") == nil)
            let preflight = try await fleet.pivot.send(
                .OPTIONS, target, headers: ["Origin": "http://example.org", "Access-Control-Request-Method": "PATCH"])
            #expect(preflight.status == 204)
            #expect(preflight.headers.first(name: "access-control-allow-methods")?.contains("PATCH") == true)
            #expect(preflight.headers.first(name: "access-control-allow-headers")?.contains("gimbal-read") == true)
        }
        for (target, origin) in [("/settings", "http://example.com"), ("/?api=info", "http://example.org")] {
            let reply = try await fleet.pivot.send(.GET, target, headers: ["Origin": origin])
            #expect(reply.status == 403 && reply.headers.first(name: "gimbal-error") == "foreign-origin")
            #expect(reply.headers.first(name: "access-control-allow-origin") == nil)
        }
    }

    @Test("lists are compressed for who asks, single keys and HEAD are not")
    func compression() async throws {
        let fleet = try await Fleet(nodes: 0)
        for number in 0..<50 { try await fleet.pivot.set("things/k\(number)", #"{"text":"again and again and again"}"#) }
        let asked = ["Accept-Encoding": "gzip, deflate"]
        // The client asks for gzip by itself, and unpacks it.
        let plain = try await fleet.pivot.send(.GET, "/things/*", headers: ["Accept-Encoding": "identity"])
        #expect(plain.headers.first(name: "content-encoding") == nil && plain.body.utf8.count > 5000)
        let compressed = try await fleet.pivot.send(.GET, "/things/*", headers: asked)
        #expect(compressed.headers.first(name: "content-encoding") == "gzip")
        #expect(compressed.body == plain.body)
        let head = try await fleet.pivot.send(.HEAD, "/things/*", headers: asked)
        #expect(head.status == 200 && head.headers.first(name: "content-encoding") == nil)
        #expect(try await fleet.pivot.send(.GET, "/things/k1", headers: asked).headers.first(name: "content-encoding") == nil)
    }

    @Test("a request that offers another protocol than WebSocket is answered, and is the last of its connection")
    func otherUpgrades() async throws {
        let fleet = try await Fleet(nodes: 0)
        try await fleet.pivot.set("settings", "1")
        let port = try #require(fleet.pivot.url.split(separator: ":").last.flatMap { Int($0) })
        let request =
            "GET /settings HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
        let answer = try RawConnection.exchange(request, port: port, endsAfterwards: false)
        #expect(answer.hasPrefix("HTTP/1.1 200 OK") && answer.contains("Connection: close"), "\(answer)")
        let bad = "GET /settings HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        #expect(try RawConnection.exchange(bad, port: port, endsAfterwards: false).hasPrefix("HTTP/1.1 426 "))
    }
}
