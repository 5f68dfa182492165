import GimbalClient

/// A program that only talks to a server: TalkingClient URL
@main
struct TalkingClient {
    struct Thing: Codable, Sendable {
        var name: String
        var count: Int
    }

    static func main() async throws {
        guard CommandLine.arguments.count == 2 else { return print("usage: TalkingClient URL, such as http://127.0.0.1:7000") }
        let client = try GimbalClient(url: CommandLine.arguments[1])

        // Keys are paths, values whatever is Codable. A write that returned is on the server's disk.
        let path = try await client.push("things/*", Thing(name: "lamp", count: 1))
        try await client.patch(path, with: ["count": 2])
        let lamp = try await client.get(path, as: Thing.self)
        print("\(lamp.path): \(lamp.value.count) × \(lamp.value.name), written \(lamp.updatedDate ?? lamp.createdDate)")

        // Lists come page by page, newest first.
        for try await page in client.list("things/*", limit: 100, as: Thing.self) {
            for thing in page { print("  \(thing.index): \(thing.value.name)") }
        }

        // A subscription begins with what is there and goes on with each change, over as many connections as it takes.
        async let written: Void = client.set("things/chair", to: Thing(name: "chair", count: 4))
        for try await change in client.subscribe("things/*", as: Thing.self) {
            switch change {
            case .snapshot(let things): print("there are \(things.count) things")
            case .inserted(let thing): print("new: \(thing.value.name)")
            case .updated(let thing): print("changed: \(thing.value.name)")
            case .removed(let thing): print("gone: \(thing.value.name)")
            }
            if case .snapshot(let things) = change, !things.contains(where: { $0.index == "chair" }) { continue }
            break
        }
        try await written

        // One type of error, with a stable code.
        do {
            try await client.delete(path)
            try await client.delete(path)
        } catch {
            switch error {
            case .notFound(let path): print("\(path) is gone already")
            default: throw error
            }
        }
        try await client.delete("things/chair")
    }
}
