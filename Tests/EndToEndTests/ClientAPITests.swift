import Foundation
import NIOHTTP1
import Testing

/// The client API's tables, and what a connection may carry.
@Suite(.serialized, .cleansUp)
struct ClientAPITests {
    @Test("bad input gets its status and its code, and stores nothing")
    func errors() async throws {
        let fleet = try await Fleet(nodes: 0)
        let rows: [(HTTPMethod, String, String?, Int, String)] = [
            (.POST, "/a//b", "1", 400, "invalid-path"),
            (.POST, "/-a", "1", 400, "invalid-path"),
            (.GET, "/a%20b", nil, 400, "invalid-path"),
            (.POST, "/things/x", "nope", 400, "json-syntax"),
            (.POST, "/things/x", "", 400, "json-end"),
            (.POST, "/things/x", #"{"a":1}}"#, 400, "json-syntax"),
            (.POST, "/things/x", String(repeating: "[", count: 129), 400, "json-nesting"),
            (.POST, "/*/x", "1", 400, "pattern"),
            (.PATCH, "/things/*", "{}", 400, "pattern"),
            (.PATCH, "/things/none", "{}", 404, "not-found"),
            (.GET, "/things/none", nil, 404, "not-found"),
            (.DELETE, "/things/none", nil, 404, "not-found"),
            (.PUT, "/things/x", "1", 405, "method-not-allowed"),
            (.GET, "/things/*?limit=0", nil, 400, "bad-page"),
            (.GET, "/things/*?cursor=zzz", nil, 400, "bad-page"),
            (.POST, "/_settings", "{}", 404, "no-route"),
            (.POST, "/things/x", "\"\(String(repeating: "x", count: 1 << 20))\"", 413, "too-large"),
        ]
        for (method, path, body, status, code) in rows {
            let reply = try await fleet.pivot.send(method, path, body)
            #expect(reply.status == status, "\(method) \(path)")
            #expect(reply.headers.first(name: "Gimbal-Error") == code, "\(method) \(path)")
        }
        #expect(try await fleet.pivot.send(.GET, "/things/*").body == "[]")
    }

    @Test("meta objects, PATCH, HEAD, numbers as they were written, newest first with pages")
    func shapes() async throws {
        let pivot = try await Fleet(nodes: 0)
        let server = pivot.pivot
        #expect(try await server.send(.POST, "/things/a", #"{"n":1.0,"deep":{"x":1}}"#).body == #"{"index":"a"}"#)
        let first = try await server.send(.GET, "/things/a")
        #expect(first.body.contains(#""updated":0,"index":"a","path":"things/a","data":{"n":1.0,"deep":{"x":1}}}"#))
        #expect(try await server.send(.PATCH, "/things/a", #"{"deep":{"y":null},"new":12345678901234567890}"#).status == 200)
        #expect(try await server.local("things/a") == #"{"n":1.0,"deep":{"x":1,"y":null},"new":12345678901234567890}"#)
        let head = try await server.send(.HEAD, "/things/a")
        #expect(head.status == 200 && head.body.isEmpty)
        for number in 0..<25 { try await server.set("things/n\(number)", "\(number)") }
        var paths: [String] = []
        var cursor: String?
        repeat {
            let page = try await server.send(.GET, "/things/*?limit=10" + (cursor.map { "&cursor=\($0)" } ?? ""))
            let items = try #require(try JSONSerialization.jsonObject(with: Data(page.body.utf8)) as? [[String: Any]])
            #expect(items.count <= 10)
            paths += items.compactMap { $0["path"] as? String }
            cursor = page.headers.first(name: "Gimbal-Cursor")
        } while cursor != nil
        #expect(paths == (0..<25).reversed().map { "things/n\($0)" } + ["things/a"])
        let whole = try await server.send(.GET, "/things/*")
        let items = try JSONSerialization.jsonObject(with: Data(whole.body.utf8)) as? [[String: Any]]
        #expect(items?.compactMap { $0["path"] as? String } == paths)
    }

    @Test("pages of a list that changes meanwhile: nothing twice, nothing that is gone, values as they are now")
    func pagesOfAChangingList() async throws {
        let fleet = try await Fleet(nodes: 0)
        let server = fleet.pivot
        for number in 0..<30 { try await server.set("things/n\(number)", "\(number)") }
        func page(_ cursor: String?) async throws -> (paths: [String], values: String, next: String?) {
            let answer = try await server.send(.GET, "/things/*?limit=10" + (cursor.map { "&cursor=\($0)" } ?? ""))
            let items = try #require(try JSONSerialization.jsonObject(with: Data(answer.body.utf8)) as? [[String: Any]])
            return (items.compactMap { $0["path"] as? String }, answer.body, answer.headers.first(name: "Gimbal-Cursor"))
        }
        let first = try await page(nil)
        #expect(first.paths.first == "things/n29" && first.paths.count == 10)
        try await server.delete("things/n15")
        try await server.set("things/n14", "\"changed\"")
        try await server.set("things/new", "1")
        let second = try await page(first.next)
        #expect(second.paths == [19, 18, 17, 16, 14, 13, 12, 11, 10].map { "things/n\($0)" })
        #expect(second.values.contains("\"changed\""))
        #expect(try await page(first.next).paths == second.paths, "a page may be asked for again")
        let third = try await page(second.next)
        #expect(third.paths == (0..<10).reversed().map { "things/n\($0)" } && third.next == nil)
        #expect(try await page(nil).paths.first == "things/new")
        #expect(try await page("\(String(UInt64.max, radix: 16)).things/none").paths.first == "things/new", "any place")
    }

    @Test("pipelined requests of both kinds are answered in their order on one connection")
    func pipelining() async throws {
        let fleet = try await Fleet(nodes: 0)
        let port = fleet.pivot.port
        var text = ""
        for number in 0..<20 {
            text += "POST /things/p HTTP/1.1\r\nHost: x\r\nContent-Length: \(String(number).count)\r\n\r\n\(number)"
            text += "GET /things/* HTTP/1.1\r\nHost: x\r\n\r\n"
            text += "GET /things/p HTTP/1.1\r\nHost: x\r\n\r\n"
        }
        text += "GET /_health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        let answer = try RawConnection.exchange(text, port: port, endsAfterwards: false)
        let values = answer.matches(of: /"data":(\d+)/).compactMap { Int($0.output.1) }
        #expect(values == (0..<20).flatMap { [$0, $0] })
        #expect(answer.matches(of: /HTTP\/1\.1 200 OK/).count == 61)
    }

    @Test("a client that goes away in the middle of a body costs nothing")
    func goneMidBody() async throws {
        let fleet = try await Fleet(nodes: 0)
        let port = fleet.pivot.port
        for _ in 0..<20 {
            _ = try RawConnection.exchange(
                "POST /things/half HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"a\"", port: port)
        }
        #expect(try await fleet.pivot.local("things/half") == nil)
        try await fleet.pivot.set("things/whole", "1")
    }

    @Test(
        "what is no HTTP is answered 400 or closed, and the server lives",
        arguments: [
            "\u{0}\u{1}\u{2}", "GET\r\n\r\n", "GET /things/a HTTP/9.9\r\n\r\n",
            "POST /things/a HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
            "GET /things/* HTTP/1.1\r\nHost: x\r\n\r\nnonsense\r\n\r\n",
            "POST /_pivot/v1/spaces HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "GET /_health/live HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab",
        ])
    func notHTTP(_ text: String) async throws {
        let fleet = try await Fleet(nodes: 0)
        let port = fleet.pivot.port
        for endsAfterwards in [true, false] where endsAfterwards || !text.hasSuffix("ab") {
            let answer = try RawConnection.exchange(text, port: port, endsAfterwards: endsAfterwards)
            #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 "), "\(answer)")
        }
        try await fleet.pivot.set("things/after", "1")
    }
}
