import GimbalClient
import GimbalHTTP

/// A program that is a node itself: EmbeddedNode FOLDER PIVOT-URL
///
/// It keeps a full copy of the space, reads and writes with no server in between, online or offline, and synchronises through
/// the pivot while it runs.
@main
struct EmbeddedNode {
    struct Settings: Codable, Equatable, Sendable {
        var theme: String
    }

    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 3 else { return print("usage: EmbeddedNode FOLDER PIVOT-URL") }
        try await GimbalNode.run(data: arguments[1], pivot: arguments[2]) { node in
            // The very first start waits for the first copy of the space; later ones serve at once.
            try await node.ready()
            let client = node.client

            // On this machine's disk when it returns, whether or not the pivot can be reached.
            try await client.set("settings", to: Settings(theme: "dark"))
            let read = try await client.get("settings", as: Settings.self)
            print("settings: \(read.value.theme), as the \(read.freshness == .pivot ? "pivot" : "own copy") has it")

            // What others write arrives here as well.
            for try await entry in client.watch("settings", as: Settings.self) {
                guard let entry else { continue }
                print("the theme is \(entry.value.theme)")
                break
            }

            // Nothing is lost by ending now: what the pivot has not got yet goes to it with the next start.
            let status = node.status
            print("\(status.outbox) writes wait for the pivot; the copy is at position \(status.position)")
            if let fault = status.fault { print("fault: \(fault)") }
        }
    }
}
