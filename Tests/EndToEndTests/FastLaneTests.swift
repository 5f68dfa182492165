import Testing

/// A request on a single key is answered from its bytes when nothing in it is out of the ordinary, else through the HTTP codec.
/// Nobody can tell which it was.
@Suite("the fast lane", .cleansUp)
struct FastLaneTests {
    @Test(
        "a request is answered to the byte as the codec's way answers it",
        arguments: [
            "GET /things/a", "HEAD /things/a", "GET /things/none", "GET /settings", "DELETE /things/none", "GET /_settings",
            "GET /things/a/", "GET //things", "GET /-a", "GET /things/a%20b", "PATCH /things/none {}",
            "PATCH /things/a {\"x\":1}",
            "POST /things/b {\"y\": 1.0}", "POST /things/b {", "POST /things/b ", "PATCH /things/a 7", "GET /things/a?x=1",
            "POST /a/*/b 1", "POST /*", "GET /things/*", "PUT /things/a 1", "GET /", "POST /things/c \"é\"",
            "POST /things/c \"\\u{ff}\"",
        ])
    func sameAnswer(_ line: String) async throws {
        let fleet = try await Fleet(nodes: 0)
        try await fleet.pivot.set("things/a", #"{"v":1}"#)
        let port = try #require(Int(fleet.pivot.url.split(separator: ":")[2]))
        let parts = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        let body = parts.count > 2 ? String(parts[2]) : nil
        func ask(_ headers: String) throws -> String {
            let length = body.map { "content-LENGTH:  \($0.utf8.count)\r\n" } ?? ""
            let request = "\(parts[0]) \(parts[1]) HTTP/1.1\r\nhost: x\r\n\(headers)\(length)\r\n\(body ?? "")"
            // Another request ends the connection, so that the first one's answer is of a connection that stays.
            let last = "GET /_health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            return try RawConnection.exchange(request + last, port: port, endsAfterwards: false)
                .replacing(/"updated":\d+/, with: "").replacing(/[dD]ate: [^\r]*/, with: "")
        }
        let lean = try ask("User-Agent: t\r\nAccept: */*\r\nConnection: Keep-Alive\r\nAccept-Encoding: identity\r\n")
        let codec = try ask("X-Unknown: 1\r\nConnection: keep-alive\r\nAccept-Encoding: identity\r\n")
        #expect(Self.lowercasedHeads(lean) == Self.lowercasedHeads(codec))
    }

    private static func lowercasedHeads(_ text: String) -> String {
        text.split(separator: "\r\n").map { $0.contains(": ") ? $0.lowercased() : String($0) }.joined(separator: "\n")
    }

    @Test("two readings of one request are not possible: what could be read in two ways is the codec's alone")
    func smuggling() async throws {
        let fleet = try await Fleet(nodes: 0)
        let port = try #require(Int(fleet.pivot.url.split(separator: ":")[2]))
        for headers in [
            "Content-Length: 1\r\nContent-Length: 40", "Content-Length: 1\r\nTransfer-Encoding: chunked", "Content-Length : 1",
            "Content-Length: +1", "Content-Length: 1\n", " Content-Length: 1", "Content-Length: 0x1",
        ] {
            let request =
                "POST /things/outer HTTP/1.1\r\nHost: x\r\n\(headers)\r\n\r\n1POST /things/inner HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n2"
            _ = try RawConnection.exchange(request, port: port)
            #expect(try await fleet.pivot.local("things/inner") == nil, "\(headers)")
        }
    }

    @Test("whole requests, halves and lists, sent byte by byte or at once, are answered in their order")
    func pieces() async throws {
        let fleet = try await Fleet(nodes: 0)
        let port = try #require(Int(fleet.pivot.url.split(separator: ":")[2]))
        var text = ""
        for number in 0..<200 {
            text += "POST /things/p HTTP/1.1\r\nHost: x\r\nContent-Length: \(String(number).count)\r\n\r\n\(number)"
            text += "GET /things/p HTTP/1.1\r\nHost: x\r\n\r\n"
            if number == 150 { text += "GET /things/* HTTP/1.1\r\nHost: x\r\n\r\n" }
        }
        text += "GET /things/p HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        var expected: [Int] = []
        for number in 0..<200 { expected += number == 150 ? [number, number] : [number] }
        expected.append(199)
        for size in [text.utf8.count, 7, 61] {
            let answer = try RawConnection.exchange(text, port: port, endsAfterwards: false, pieces: size)
            let values = answer.matches(of: /"data":(\d+)/).compactMap { Int($0.output.1) }
            #expect(values == expected)
        }
    }
}
