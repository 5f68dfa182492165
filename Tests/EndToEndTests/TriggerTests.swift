import Foundation
import NIOHTTP1
import Synchronization
import Testing

/// A node that does not follow is told to pull, and nobody else is called.
@Suite(.serialized, .cleansUp)
struct TriggerTests {
    private struct Entry: Decodable {
        var healthy: Bool
        var following: Bool
        var lag: UInt64
    }

    private func entry(_ pivot: Server) async throws -> Entry? {
        let reply = try await pivot.send(.GET, "/_pivot/health/nodes")
        return try JSONDecoder().decode([Entry].self, from: Data(reply.body.utf8)).first
    }

    private func port(_ server: Server) throws -> UInt16 { UInt16(try #require(URL(string: server.url)?.port)) }

    @Test("health of a node comes from its stream and, without one, from triggers; a trigger makes it pull")
    func trigger() async throws {
        let fleet = try await Fleet(nodes: 0)
        let relay = try TCPRelay(to: try port(fleet.pivot))
        let node = Server("node", name: "node", folder: "\(fleet.folder)/node", arguments: ["--pivot", relay.url])
        try await node.start()
        node.stop()
        // Now its port is known.
        try await node.start(with: ["--reachable-at", node.url])
        try await eventually("it follows") {
            let isReady = await node.isReady()
            return try await entry(fleet.pivot)?.following == true && isReady
        }
        relay.cut()
        try await eventually("the stream is gone") { try await entry(fleet.pivot)?.following == false }
        try await fleet.pivot.set("things/a", "1")
        try await eventually("it answers triggers") {
            let entry = try await entry(fleet.pivot)
            return entry?.healthy == true && entry?.following == false && entry?.lag == 1
        }
        node.kill()
        try await fleet.pivot.set("things/a", "2")
        try await eventually("it does not answer any more") { try await entry(fleet.pivot)?.healthy == false }
        relay.mend()
        try await node.start(with: ["--reachable-at", node.url])
        try await eventually("it is back") { try await node.local("things/a") == "2" }
        #expect(try await entry(fleet.pivot)?.following == true)
    }

    /// Remembers what it was sent, and answers as a node would.
    private final class Sink: Sendable {
        private let received = Mutex<[String]>([])
        var requests: [String] { received.withLock { $0 } }

        func serve(_ connection: Int32) {
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = read(connection, &buffer, buffer.count)
            received.withLock { $0.append(String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self)) }
            let answer = Array(
                "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n".utf8)
            _ = write(connection, answer, answer.count)
        }
    }

    @Test("lesson 8: an address from which the member does not speak is not called, unless the operator names its network")
    func addressElsewhere() async throws {
        let sink = Sink()
        let elsewhere = try TCPListener(host: "127.0.0.2") { _, connection in sink.serve(connection) }
        for (flags, isCalled) in [([String](), false), (["--trigger-network", "127.0.0.2/32"], true)] {
            let fleet = try await Fleet(nodes: 0, pivotFlags: ["--open-enrollment"] + flags)
            let node = Server(
                "node", name: "node", folder: "\(fleet.folder)/node",
                arguments: ["--pivot", fleet.pivot.url, "--reachable-at", "http://127.0.0.2:\(elsewhere.port)"])
            try await node.start()
            try await eventually("it follows") { try await entry(fleet.pivot)?.following == true }
            node.kill()
            try await eventually("the stream is gone") { try await entry(fleet.pivot)?.following == false }
            try await fleet.pivot.set("things/a", "1")
            if isCalled {
                try await eventually("the address is called") { !sink.requests.isEmpty }
                let request = try #require(sink.requests.first)
                let space = try #require(try await fleet.pivot.status()["space"] as? String)
                #expect(request.hasPrefix("POST /_pivot/v1/spaces/\(space)/pull HTTP/1.1\r\n"))
                #expect(!request.contains("things"))
                #expect(request.hasSuffix("\r\n\r\npull") || request.hasSuffix("\r\n\r\n"))
                // A redirect is no answer, and is not followed.
                #expect(try await entry(fleet.pivot)?.healthy == false)
            } else {
                // Two rounds of the sender's clock.
                try await Task.sleep(for: .seconds(3))
                #expect(sink.requests.isEmpty)
                let log = try String(contentsOfFile: "\(fleet.pivot.folder).log", encoding: .utf8)
                #expect(log.contains("trigger address refused"))
            }
        }
    }

    @Test("names, paths and credentials are no trigger address; only a space that is followed can be triggered")
    func malformed() async throws {
        for address in [
            "http://example.org:80", "http://127.0.0.1", "http://127.0.0.1:7000/x", "ftp://127.0.0.1:1", "http://u:p@127.0.0.1:1",
        ] {
            let refused = try Binaries.run(
                "node", ["--data", "/nonexistent", "--pivot", "http://127.0.0.1:1", "--reachable-at", address])
            #expect(refused.status == 64, "\(address)")
        }
        let fleet = try await Fleet(nodes: 1)
        let space = try #require(try await fleet.pivot.status()["space"] as? String)
        #expect(try await fleet.nodes[0].send(.POST, "/_pivot/v1/spaces/\(space)/pull", "pull").status == 204)
        let other = String(repeating: "1", count: 64)
        #expect(try await fleet.nodes[0].send(.POST, "/_pivot/v1/spaces/\(other)/pull", "pull").status == 404)
    }
}
