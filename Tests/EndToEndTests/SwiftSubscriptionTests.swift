import Foundation
import GimbalClient
import GimbalWire
import NIOHTTP1
import Synchronization
import Testing

/// GimbalClient's subscriptions against real servers: what a loop has put together is what GET answers.
@Suite(.serialized, .cleansUp)
struct SwiftSubscriptionTests {
    @Test("copies equal GET at every quiet point, through writes on two servers, cut connections and restarts")
    func mirrors() async throws {
        let fleet = try await Fleet(nodes: 1)
        var followers: [Follower] = []
        for server in fleet.everyone {
            let relay = try TCPRelay(to: UInt16(server.port))
            let direct = try GimbalClient(url: server.url)
            for target in ["things/*", "things/**", "*/k1", "settings", "things/k2"] {
                followers.append(try Follower(target, over: relay, direct))
            }
        }
        var random = SystemRandomNumberGenerator()
        for round in 0..<8 {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for server in fleet.everyone {
                    let client = try GimbalClient(url: server.url)
                    group.addTask { try await Self.write(client, count: 60) }
                }
                for follower in followers where Int.random(in: 0..<3, using: &random) == 0 {
                    try await Task.sleep(for: .milliseconds(5))
                    follower.relay.interrupt()
                }
                try await group.waitForAll()
            }
            if round == 3 || round == 6 {
                let restarted = fleet.everyone[round % 2]
                restarted.kill()
                try await restarted.start()
                try await eventually("\(restarted.name) is ready again") { await restarted.isReady() }
            }
            try await fleet.settles()
            for follower in followers {
                try await eventually("round \(round): \(follower.target) at \(follower.relay.url) is what GET answers") {
                    try await follower.isCurrent()
                }
            }
        }
        for follower in followers {
            #expect(follower.snapshots == 1, "what changed while a connection was away comes as changes")
            follower.task.cancel()
            await follower.task.value
        }
    }

    /// Some of everything, at random.
    private static func write(_ client: GimbalClient, count: Int) async throws {
        for _ in 0..<count {
            let path = ["things/k\(Int.random(in: 0..<8))", "settings"].randomElement() ?? "settings"
            let thing = Thing(
                name: String(repeating: "n", count: Bool.random() ? 5 : 900), count: .random(in: 0..<5),
                tags: Bool.random() ? nil : ["a/b~c": [.random(in: 0..<3)], "": []])
            do throws(GimbalError) {
                switch Int.random(in: 0..<20) {
                case 0..<9: try await client.set(path, to: thing)
                case 9..<12: try await client.push("things/*", thing)
                case 12..<15: try await client.patch(path, with: ["count": Int.random(in: 0..<5)])
                case 15..<19: try await client.delete(path)
                default: try await client.delete("things/*")
                }
            } catch {
                // Somebody else was faster.
                guard case .notFound = error else { throw error }
            }
        }
    }

    @Test("a client that comes back gets just what it missed")
    func resumption() async throws {
        let fleet = try await Fleet(nodes: 0)
        let client = try GimbalClient(url: fleet.pivot.url)
        let value = String(repeating: "v", count: 2_000)
        for number in 0..<200 { try await client.set("things/n\(number)", to: Thing(name: value, count: number)) }
        let relay = try TCPRelay(to: UInt16(fleet.pivot.port))
        let follower = try Follower("things/*", over: relay, client)
        try await eventually("the first copy is here") { try await follower.isCurrent() }
        let whole = relay.bytes
        #expect(whole > 400_000)
        for round in 0..<5 {
            relay.interrupt()
            try await client.set("things/n\(round)", to: Thing(name: "changed", count: -round))
            try await client.delete("things/n\(100 + round)")
            try await client.push("things/*", Thing(name: "new", count: round))
            try await eventually("what was missed is here") { try await follower.isCurrent() }
        }
        #expect(relay.bytes - whole < 50_000)
        #expect(follower.snapshots == 1 && follower.changes == 1 + 5 * 3)
    }

    @Test("a key is watched through its lives")
    func watch() async throws {
        let fleet = try await Fleet(nodes: 1)
        let pivot = try GimbalClient(url: fleet.pivot.url)
        let node = try GimbalClient(url: fleet.nodes[0].url)
        var values = node.watch("settings", as: Thing.self).makeAsyncIterator()
        #expect(try await values.next() == .some(nil))
        try await pivot.set("settings", to: Thing(name: "a", count: 1))
        #expect(try await values.next()??.value == Thing(name: "a", count: 1))
        try await pivot.patch("settings", with: ["count": 2])
        let second = try #require(try await values.next() ?? nil)
        #expect(second.value.count == 2 && second.updated != nil)
        try await pivot.delete("settings")
        #expect(try await values.next() == .some(nil))
    }

    @Test("a loop that ends leaves no socket, however it ends")
    func noSocket() async throws {
        let fleet = try await Fleet(nodes: 0)
        let client = try GimbalClient(url: fleet.pivot.url)
        try await client.set("things/a", to: 1)
        func connections() async throws -> Int {
            let reply = try await fleet.pivot.send(.GET, "/?api=state")
            let state = try JSONSerialization.jsonObject(with: Data(reply.body.utf8)) as? [String: Any]
            return try #require(state?["totalConnections"] as? Int)
        }
        for try await change in client.subscribe("things/*", as: Int.self) {
            #expect(try await connections() == 1)
            if case .snapshot(let entries) = change { #expect(entries.map(\.value) == [1]) }
            break
        }
        try await eventually("left by break") { try await connections() == 0 }
        let task = Task { for try await _ in client.subscribe("things/*", as: Int.self) {} }
        try await eventually("subscribed") { try await connections() == 1 }
        task.cancel()
        try await task.value
        try await eventually("left by cancellation") { try await connections() == 0 }
        try await client.set("things/b", to: "text")
        await #expect(throws: GimbalError.self) { for try await _ in client.subscribe("things/*", as: Int.self) {} }
        try await eventually("left by an error") { try await connections() == 0 }
        let last = Task { for try await _ in client.subscribe("things/*", as: Attempt<Int>.self) {} }
        try await eventually("subscribed again") { try await connections() == 1 }
        await client.shutdown()
        try await last.value
        try await eventually("left by shutdown") { try await connections() == 0 }
    }

    @Test("a slow loop holds back the server, not memory, and then has everything")
    func slowLoop() async throws {
        let fleet = try await Fleet(nodes: 0)
        let client = try GimbalClient(url: fleet.pivot.url)
        let relay = try TCPRelay(to: UInt16(fleet.pivot.port))
        var changes = try GimbalClient(url: relay.url).subscribe("things/*", as: String.self).makeAsyncIterator()
        var copy: [Entry<String>] = []
        copy.apply(try #require(try await changes.next()))
        let written = 40 << 20
        let size = 200_000
        for number in 0..<(written / size) {
            try await client.set("things/n\(number % 4)", to: "\(number) " + String(repeating: "x", count: size))
        }
        #expect(relay.bytes < written / 2, "while nobody reads, little is sent")
        let expected = try await client.list("things/*", as: String.self).all()
        while copy.map(\.value) != expected.map(\.value) || copy.map(\.updated) != expected.map(\.updated) {
            copy.apply(try #require(try await changes.next()))
        }
    }

    @Test("a server that is silent is left, and found again")
    func silence() async throws {
        let fleet = try await Fleet(nodes: 0)
        var options = GimbalClient.Options()
        options.keepAliveInterval = .milliseconds(200)
        options.requestTimeout = .seconds(1)
        let client = try GimbalClient(url: fleet.pivot.url, options: options)
        try await client.set("settings", to: 1)
        var values = client.watch("settings", as: Int.self).makeAsyncIterator()
        #expect(try await values.next()??.value == 1)
        // The connection stays, and nothing answers on it.
        fleet.pivot.pause()
        try await Task.sleep(for: .milliseconds(800))
        fleet.pivot.resume()
        try await client.set("settings", to: 2)
        #expect(try await values.next()??.value == 2)
    }
}

/// One loop over a subscription, and what it has put together.
private final class Follower: Sendable {
    let target: String
    let relay: TCPRelay
    let task: Task<Void, Never>
    private let client: GimbalClient
    private let copy: Copy

    private final class Copy: Sendable {
        let state = Mutex<(entries: [Entry<Thing>], snapshots: Int, changes: Int)>(([], 0, 0))
    }

    init(_ target: String, over relay: TCPRelay, _ client: GimbalClient) throws {
        self.target = target
        self.relay = relay
        self.client = client
        let copy = Copy()
        self.copy = copy
        var options = GimbalClient.Options()
        options.reconnect.firstDelay = .milliseconds(10)
        let subscription = try GimbalClient(url: relay.url, options: options).subscribe(target, as: Thing.self)
        task = Task {
            do throws(GimbalError) {
                for try await change in subscription {
                    copy.state.withLock { state in
                        state.entries.apply(change)
                        state.changes += 1
                        if case .snapshot = change { state.snapshots += 1 }
                    }
                }
            } catch {
                Issue.record("\(target): \(error)")
            }
        }
        TestEnd.current?.atEnd { [task] in task.cancel() }
    }

    var snapshots: Int { copy.state.withLock { $0.snapshots } }
    var changes: Int { copy.state.withLock { $0.changes } }

    /// Whether the copy is what GET answers.
    func isCurrent() async throws -> Bool {
        let truth: [Entry<Thing>]
        if target.contains("*") {
            truth = try await client.list(target, limit: nil, as: Thing.self).all()
        } else {
            truth = try await client.find(target, as: Thing.self).map { [$0] } ?? []
        }
        let entries = copy.state.withLock { $0.entries }
        guard snapshots > 0, entries.count == truth.count else { return false }
        return zip(entries, truth).allSatisfy { mine, theirs in
            mine.path == theirs.path && mine.created == theirs.created && mine.updated == theirs.updated
                && mine.value == theirs.value
        }
    }
}
