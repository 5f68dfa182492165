import Foundation
import GimbalClient
import GimbalHTTP
import GimbalWire
import Testing

/// A node inside of this process, beside a real pivot.
@Suite(.serialized, .cleansUp)
struct EmbeddedNodeTests {
    @Test("reads, writes, lists, refusals and subscriptions with no server in between; the pivot has them all")
    func operations() async throws {
        let fleet = try await Fleet(nodes: 1)
        let pivot = try GimbalClient(url: fleet.pivot.url)
        let seen = try await GimbalNode.run(data: "\(fleet.folder)/embedded", pivot: fleet.pivot.url) { node in
            try await node.ready()
            var changes = node.client.subscribe("things/*", as: Thing.self).makeAsyncIterator()
            #expect(try await changes.next() == .snapshot([]))
            let path = try await node.client.push("things/*", Thing(name: "here", count: 1))
            guard case .inserted(let entry)? = try await changes.next() else { throw Unexpected(description: "no insert") }
            #expect(entry.path == path && entry.value.name == "here")
            try await eventually("the pivot has it") { try await pivot.find(path, as: Thing.self) != nil }
            try await pivot.patch(path, with: ["count": 2])
            guard case .updated(let update)? = try await changes.next() else { throw Unexpected(description: "no update") }
            #expect(update.value.count == 2)
            for number in 0..<25 { try await node.client.set("things/n\(number)", to: Thing(name: "", count: number)) }
            var counts: [Int] = []
            for try await page in node.client.list("things/*", limit: 10, as: Thing.self) { counts += page.map(\.value.count) }
            #expect(counts == (0..<25).reversed() + [2])
            // The pivot may take longer to answer than a read waits for it: then there is no stale value, and one asks again.
            try await eventually("a read gets the pivot's state") {
                try await node.client.get(path, as: Thing.self, reading: .latest).freshness == .pivot
            }
            await #expect(throws: GimbalError.notFound(path: "things/none")) {
                try await node.client.get("things/none", as: Thing.self)
            }
            do throws(GimbalError) {
                try await node.client.set("settings", to: String(repeating: "x", count: 17 << 20))
                Issue.record("it was taken")
            } catch {
                #expect(error.code == "too-large")
            }
            // Also for others: it listens.
            let address = try #require(node.address)
            #expect(try await GimbalClient(url: "http://\(address)").get(path, as: Thing.self).value.count == 2)
            try await node.client.delete("things/*")
            #expect(try await node.client.list("things/*", as: Thing.self).all().isEmpty)
            try await eventually("everything is at the pivot") { node.status.outbox == 0 && node.status.position > 0 }
            return node.status
        }
        #expect(seen.isReady && seen.fault == nil)
        try await eventually("the other node saw it go") {
            try await GimbalClient(url: fleet.nodes[0].url).list("things/*", as: Thing.self).all().isEmpty
        }
    }

    @Test("it writes offline, ends with its task, frees its folder and delivers on return")
    func offline() async throws {
        let fleet = try await Fleet(nodes: 0)
        let folder = "\(fleet.folder)/embedded"
        try await GimbalNode.run(data: folder, pivot: fleet.pivot.url) { node in try await node.ready() }
        fleet.pivot.kill()
        try await GimbalNode.run(data: folder, pivot: fleet.pivot.url) { node in
            try await node.ready()
            try await node.client.set("settings", to: "offline")
            #expect(try await node.client.get("settings", as: String.self).freshness == .local)
            await #expect(throws: GimbalError.pivotAway) {
                try await node.client.get("settings", as: String.self, reading: .latest)
            }
            #expect(node.status.outbox == 1)
        }
        try await fleet.pivot.start()
        let node = try await GimbalNode(data: folder, pivot: fleet.pivot.url)
        let loop = Task { for try await _ in node.client.subscribe("settings", as: String.self) {} }
        let running = Task { try await node.run() }
        try await eventually("it is delivered") { node.status.outbox == 0 }
        #expect(try await GimbalClient(url: fleet.pivot.url).get("settings", as: String.self).value == "offline")
        running.cancel()
        try await running.value
        // Loops over its subscriptions end with it.
        try await loop.value
        await #expect(throws: GimbalError.shutDown) { try await node.client.get("settings", as: String.self) }
        _ = try await GimbalNode(data: folder, pivot: fleet.pivot.url)
    }

    @Test("a slow loop inside the process catches up with a snapshot")
    func slowLoop() async throws {
        let fleet = try await Fleet(nodes: 0)
        try await GimbalNode.run(data: "\(fleet.folder)/embedded", pivot: fleet.pivot.url) { node in
            try await node.ready()
            var changes = node.client.subscribe("things/*", as: Int.self).makeAsyncIterator()
            var copy: [Entry<Int>] = []
            copy.apply(try #require(try await changes.next()))
            for number in 0..<1_000 { try await node.client.set("things/n\(number % 50)", to: number) }
            let expected = try await node.client.list("things/*", as: Int.self).all()
            var count = 0
            while copy.map(\.value) != expected.map(\.value) {
                copy.apply(try #require(try await changes.next()))
                count += 1
            }
            #expect(count < 700, "what was not read is summed up")
        }
    }
}
