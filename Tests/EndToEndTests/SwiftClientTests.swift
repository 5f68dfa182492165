import Foundation
import GimbalClient
import GimbalWire
import Testing

struct Thing: Codable, Hashable, Sendable {
    var name: String
    var count: Int
    var tags: [String: [Int]]?
}

/// GimbalClient's requests against real servers.
@Suite(.serialized, .cleansUp)
struct SwiftClientTests {
    @Test("every operation, at a pivot and at its node")
    func operations() async throws {
        let fleet = try await Fleet(nodes: 1)
        for server in fleet.everyone {
            let client = try GimbalClient(url: server.url)
            try await client.set("settings", to: Thing(name: server.name, count: 1))
            let first = try await client.get("settings", as: Thing.self)
            #expect(first.value == Thing(name: server.name, count: 1))
            #expect(first.path == "settings" && first.index == "settings" && first.freshness == .pivot)
            try await client.patch("settings", with: ["count": 2])
            let second = try await client.get("settings", as: Thing.self)
            #expect(second.value.count == 2 && second.value.name == server.name && second.created == first.created)
            #expect(try #require(second.updated) > second.created)
            let path = try await client.push("things/*", Thing(name: "ü☃", count: -1, tags: ["a/b": [1, 2]]))
            let pushed = try await client.get(path, as: Thing.self)
            #expect(pushed.value == Thing(name: "ü☃", count: -1, tags: ["a/b": [1, 2]]))
            #expect(pushed.updated == nil && path == "things/\(pushed.index)")
            #expect(abs(pushed.createdDate.timeIntervalSinceNow) < 3600)
            try await client.set("things/scalar", to: 12_345)
            #expect(try await client.get("things/scalar", as: Int.self, reading: .latest).value == 12_345)
            #expect(try await client.get("things/scalar", as: Int.self, reading: .local).value == 12_345)
            try await client.delete(path)
            await #expect(throws: GimbalError.notFound(path: path)) { try await client.get(path, as: Thing.self) }
            #expect(try await client.find(path, as: Thing.self) == nil)
            #expect(try await client.find("things/scalar", as: Int.self)?.value == 12_345)
            try await client.delete("things/*")
            #expect(try await client.list("things/*", as: Thing.self).all().isEmpty)
            await client.shutdown()
            await #expect(throws: GimbalError.shutDown) { try await client.get("settings", as: Thing.self) }
        }
    }

    @Test("a list comes page by page, newest first, of one moment when asked so")
    func pages() async throws {
        let fleet = try await Fleet(nodes: 0)
        let client = try GimbalClient(url: fleet.pivot.url)
        for number in 0..<25 { try await client.set("things/n\(number)", to: number) }
        var pages: [[Int]] = []
        for try await page in client.list("things/*", limit: 10, as: Int.self) { pages.append(page.map(\.value)) }
        #expect(pages.map(\.count) == [10, 10, 5])
        #expect(pages.flatMap { $0 } == (0..<25).reversed())
        let whole = try await client.list("things/*", limit: nil, as: Int.self).all()
        #expect(whole.map(\.value) == (0..<25).reversed() && whole.allSatisfy { $0.freshness == .pivot })
        #expect(try await client.list("nowhere/*", as: Int.self).all().isEmpty)
    }

    @Test("what a server refuses is typed, and what no server needs to see stays here")
    func refusals() async throws {
        let fleet = try await Fleet(nodes: 1)
        let client = try GimbalClient(url: fleet.pivot.url)
        func code(_ body: () async throws -> Void) async -> String {
            do { try await body() } catch let error as GimbalError { return error.code } catch { return "\(error)" }
            return "none"
        }
        #expect(await code { _ = try await client.get("things/none", as: Int.self) } == "not-found")
        #expect(await code { try await client.delete("things/none") } == "not-found")
        #expect(await code { try await client.patch("things/none", with: ["a": 1]) } == "not-found")
        #expect(await code { try await client.set("a//b", to: 1) } == "invalid-path")
        #expect(await code { try await client.set("_settings", to: 1) } == "invalid-path")
        #expect(await code { try await client.set("../x?y", to: 1) } == "invalid-path")
        #expect(await code { try await client.push("things", 1) } == "invalid-path")
        #expect(await code { _ = try await client.list("things/a", as: Int.self).all() } == "invalid-path")
        #expect(await code { for try await _ in client.subscribe("th**", as: Int.self) {} } == "invalid-path")
        #expect(await code { try await client.set("things/x", to: Double.nan) } == "unencodable")
        #expect(await code { try await client.set("things/x", to: String(repeating: "x", count: 2 << 20)) } == "too-large")
        try await client.set("things/x", to: ["a": 1])
        #expect(await code { try await client.patch("things/x", with: [1]) } == "bad-patch")
        #expect(await code { _ = try await client.get("things/x", as: Thing.self) } == "undecodable")
        #expect(await code { _ = try await client.list("things/*", limit: 0, as: Thing.self).all() } == "bad-page")
        #expect(await code { _ = try GimbalClient(url: "ftp://somewhere") } == "invalid-url")
        let node = try GimbalClient(url: fleet.nodes[0].url)
        #expect(try await node.get("things/x", as: [String: Int].self, reading: .latest).freshness == .pivot)
        fleet.pivot.kill()
        #expect(await code { _ = try await node.get("things/x", as: [String: Int].self, reading: .latest) } == "pivot-away")
        #expect(try await node.get("things/x", as: [String: Int].self).freshness == .local)
        #expect(await code { try await client.set("things/x", to: 1) } == "unreachable")
        var options = GimbalClient.Options()
        options.reconnect = .never
        let impatient = try GimbalClient(url: fleet.pivot.url, options: options)
        #expect(await code { for try await _ in impatient.subscribe("things/*", as: Int.self) {} } == "unreachable")
    }

    @Test("a subscription that the server refuses throws the refusal")
    func refusedSubscription() async throws {
        let fleet = try await Fleet(nodes: 0)
        let lonely = Server(
            "node", name: "lonely", folder: "\(fleet.folder)/lonely", arguments: ["--pivot", "http://127.0.0.1:1"])
        try await lonely.start()
        var options = GimbalClient.Options()
        options.reconnect = .never
        let client = try GimbalClient(url: lonely.url, options: options)
        await #expect(throws: GimbalError.notReady) {
            for try await _ in client.subscribe("things/*", as: Int.self) {}
        }
    }

    @Test("a request of a cancelled task ends")
    func cancelledRequest() async throws {
        let fleet = try await Fleet(nodes: 0)
        let client = try GimbalClient(url: fleet.pivot.url)
        let task = Task { try await client.set("settings", to: 1) }
        task.cancel()
        let result = await task.result
        if case .failure(let error) = result { #expect(error as? GimbalError == .cancelled) }
    }
}
