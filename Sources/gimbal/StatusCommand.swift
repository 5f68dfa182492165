import ArgumentParser
import Foundation
import NIOCore
import NIOHTTP1

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Shows how a server stands: its space, its place in the log, its outbox, its faults.")

    @Argument(help: "URL or data folder.") var server: String
    @OptionGroup var selection: SpaceSelection
    @Flag(help: "As JSON.") var json = false

    /// What a server with several spaces answers when it is asked for none of them.
    private struct Overview: Decodable {
        var spaces: [Status]
    }

    private struct Status: Decodable {
        struct Fault: Decodable {
            var code: String
            var detail: String
        }
        struct Log: Decodable {
            struct Holder: Decodable {
                var author: String
                var position: UInt64
            }
            var horizon: UInt64
            var entries: UInt64
            var bytes: UInt64
            var retained: UInt64
            var holders: [Holder]
            var snapshotReaders: Int?
            var failure: String?
        }
        struct Snapshot: Decodable {
            var phase: String
            var entries: UInt64
            var position: UInt64
            var end: UInt64
            var detail: String?
        }
        var name: String?
        var role: String
        var space: String?
        var author: String?
        var ready: Bool
        var epoch: String?
        var position: UInt64?
        var stateDigest: String?
        var patterns: [String]?
        var members: Int?
        var outbox: UInt64?
        var deadLetters: Int?
        var following: Bool?
        var pivotClockOffsetMilliseconds: Int64?
        var fault: Fault?
        var log: Log?
        var snapshot: Snapshot?
    }

    func run() async throws {
        try await reporting {
            let reply = try await Server(server).send(.GET, selection.target("/_gimbal/status"))
            guard !json else { return print(reply.text) }
            let data = Data(reply.body.readableBytesView)
            let overview = try? JSONDecoder().decode(Overview.self, from: data)
            let all = try overview?.spaces ?? [JSONDecoder().decode(Status.self, from: data)]
            for (index, status) in all.enumerated() {
                if index > 0 { print() }
                for (name, value) in Self.lines(status) {
                    print("\(name.padding(toLength: 14, withPad: " ", startingAt: 0))\(value)")
                }
            }
        }
    }

    private static func lines(_ status: Status) -> [(String, String)] {
        var lines = status.name.map { [("name", $0)] } ?? []
        lines += [("role", status.role), ("ready", status.ready ? "yes" : "not yet")]
        func add(_ name: String, _ value: (some Any)?) {
            if let value { lines.append((name, "\(value)")) }
        }
        add("space", status.space)
        add("author", status.author)
        add("patterns", status.patterns?.joined(separator: " "))
        add("members", status.members)
        add("epoch", status.epoch)
        add("position", status.position)
        add("state digest", status.stateDigest)
        add("outbox", status.outbox.map { "\($0) operations wait for their receipt" })
        add("dead letters", status.deadLetters)
        add("pivot", status.following.map { $0 ? "followed" : "away" })
        add("pivot clock", status.pivotClockOffsetMilliseconds.map { "\($0) ms ahead of this one" })
        add("fault", status.fault.map { "\($0.code): \($0.detail)" })
        if let log = status.log {
            add("log", "\(log.entries) entries, \(log.bytes) bytes, whole from \(log.horizon) on (the horizon)")
            add("log below", "\(log.retained) entries kept as proofs")
            for holder in log.holders { add("log held by", "\(holder.author.prefix(16)) at \(holder.position)") }
            add("log held by", log.snapshotReaders.flatMap { $0 > 0 ? "\($0) nodes that take a snapshot" : nil })
            add("log fault", log.failure)
        }
        add("snapshot", status.snapshot.map(Self.text))
        return lines
    }

    private static func text(_ snapshot: Status.Snapshot) -> String {
        switch snapshot.phase {
        case "coming": "coming: \(snapshot.entries) entries so far, at \(snapshot.position) of \(snapshot.end)"
        case "checking": "installed; proofs checked: \(snapshot.position) of \(snapshot.end)"
        case "proven": "installed and proven, up to \(snapshot.end)"
        default: "installed, but unproven: \(snapshot.detail ?? "")"
        }
    }
}
