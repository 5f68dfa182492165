import ArgumentParser
import Foundation
import GimbalWire
import NIOCore
import NIOHTTP1

/// What `/_gimbal/explain` answers.
struct ExplanationAnswer: Decodable {
    struct Author: Decodable {
        var author: String
        var name: String
        var incarnation: String
        var sequence: UInt64

        var text: String { "\(name) (\(author.prefix(8))…/\(incarnation.prefix(8)) #\(sequence))" }
    }

    struct Event: Decodable {
        var author: String
        var name: String
        var incarnation: String
        var sequence: UInt64
        var kind: String
        var effectiveStamp: UInt64
        var stamp: UInt64?
        var position: UInt64?
        var skewMilliseconds: Int64?
        var supersededBy: Author?

        var by: Author { Author(author: author, name: name, incarnation: incarnation, sequence: sequence) }
    }

    var path: String
    var type: String
    var reason: String
    var standing: [Event]
    var superseded: [Event]
    var searchedFrom: UInt64
}

struct ExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Shows why a key holds what it holds: its writes, their authors and clocks, and what they superseded.")

    @Argument(help: "URL or data folder.") var server: String
    @Argument(help: "Such as settings or things/42.") var key: String
    @Option(help: "How many of the log's last entries are searched.") var depth: UInt64 = 100_000
    @Flag(help: "As JSON.") var json = false

    func run() async throws {
        try await reporting {
            let key = try Server.target(key).dropFirst()
            let reply = try await Server(server).send(.GET, "/_gimbal/explain?key=\(key)&depth=\(depth)")
            guard !json else { return print(reply.text) }
            // The values are any JSON; only the rest has a shape.
            let answer = try JSONDecoder().decode(ExplanationAnswer.self, from: Data(reply.body.readableBytesView))
            let values = try reply.json
            print("\(answer.path): \(answer.type), \(Self.sentence(answer.reason))")
            show(answer.standing, values["standing"], title: "stands")
            show(answer.superseded, values["superseded"], title: "superseded")
            if answer.searchedFrom > 1 { print("the log was searched from position \(answer.searchedFrom)") }
        }
    }

    private func show(_ events: [ExplanationAnswer.Event], _ values: JSONValue?, title: String) {
        for (event, value) in zip(events, values?.array ?? []) {
            print("\(title): \(event.kind) by \(event.by.text)")
            print("    value     \(Self.text(value["value"]))")
            print("    stamp     \(Self.time(event.effectiveStamp))\(Self.capped(event))")
            if let position = event.position {
                print("    position  \(position)")
            } else {
                print("    position  not in the searched log")
            }
            if let skew = event.skewMilliseconds { print("    clock     \(Self.skew(skew))") }
            if let by = event.supersededBy { print("    ended by  \(by.text)") }
        }
    }

    private static func sentence(_ reason: String) -> String {
        switch reason {
        case "nothing-there": "nothing is there"
        case "only-write": "one write stands"
        case "greater-stamp": "the write with the greatest stamp is shown"
        case "equal-stamps-greater-replica": "stamps are equal: the greater replica's write is shown"
        case "equal-stamps-greater-sequence": "stamps are equal: the later write is shown"
        default: reason
        }
    }

    private static func text(_ value: JSONValue?) -> String {
        let text = String(decoding: (value ?? .null).write(), as: UTF8.self)
        return text.count > 200 ? "\(text.prefix(200))…" : text
    }

    private static func time(_ nanoseconds: UInt64) -> String {
        let date = Date(timeIntervalSince1970: Double(nanoseconds) / 1e9)
        return date.formatted(.iso8601.time(includingFractionalSeconds: true).dateSeparator(.dash).year().month().day())
    }

    private static func capped(_ event: ExplanationAnswer.Event) -> String {
        guard let stamp = event.stamp, stamp != event.effectiveStamp else { return "" }
        return ", capped: its writer said \(time(stamp))"
    }

    private static func skew(_ milliseconds: Int64) -> String {
        milliseconds > 0 ? "\(milliseconds) ms ahead of the pivot's" : "\(-milliseconds) ms before the pivot took it"
    }
}

struct ResolveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resolve",
        abstract: "Ends a conflict: writes one value anew, so that it supersedes all its siblings.",
        discussion: "Without --choose or --value the value that reads answer now is kept.")

    @Argument(help: "URL or data folder.") var server: String
    @Argument(help: "Such as things/42.") var key: String
    @Option(help: "Keep the sibling with this number, from 1, in the order of GET ?siblings=1.") var choose: Int?
    @Option(help: "Write this JSON text instead.") var value: String?

    func run() async throws {
        try await reporting {
            let server = try Server(server)
            let target = try Server.target(key)
            let reply = try await server.send(.GET, "\(target)?siblings=1")
            let shown = try reply.json
            let siblings = shown["siblings"]?.array ?? []
            guard !siblings.isEmpty || value != nil else { return print("no conflict: nothing to resolve") }
            _ = try await server.send(.POST, target, body: try chosen(shown, siblings))
            print("resolved: 1 value stands, \(siblings.count) superseded")
        }
    }

    private func chosen(_ shown: JSONValue, _ siblings: [JSONValue]) throws -> String {
        if let value { return value }
        var source = shown
        if let choose {
            guard choose > 0, choose <= siblings.count else {
                throw CommandFailure(code: "no-sibling", sentence: "there are \(siblings.count) siblings")
            }
            source = siblings[choose - 1]
        }
        return String(decoding: (source["data"] ?? .null).write(), as: UTF8.self)
    }
}

struct DeadLettersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deadletters", abstract: "A node's own writes that the pivot refused.",
        subcommands: [List.self, Retry.self, Drop.self], defaultSubcommand: List.self)

    private struct Letter: Decodable {
        var id: String
        var path: String
        var kind: String
        var reason: String
    }

    private static func letters(_ server: Server, _ selection: SpaceSelection) async throws -> [Letter] {
        let reply = try await server.send(.GET, selection.target("/_gimbal/deadletters"))
        return try JSONDecoder().decode([Letter].self, from: Data(reply.body.readableBytesView))
    }

    /// Those that are meant: all, or the named ones.
    private static func each(
        _ server: String, _ selection: SpaceSelection, _ ids: [String], _ action: (Server, String) async throws -> Void
    ) async throws {
        let server = try Server(server)
        let wanted = ids.isEmpty ? try await letters(server, selection).map(\.id) : ids
        for id in wanted { try await action(server, id) }
        print("\(wanted.count) done")
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Prints them: id, reason, kind, path.")
        @Argument(help: "URL or data folder.") var server: String
        @OptionGroup var selection: SpaceSelection
        @Flag(help: "As JSON.") var json = false

        func run() async throws {
            try await reporting {
                let server = try Server(server)
                if json { return print(try await server.send(.GET, selection.target("/_gimbal/deadletters")).text) }
                for letter in try await letters(server, selection) { print(letter.id, letter.reason, letter.kind, letter.path) }
            }
        }
    }

    struct Retry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Writes them again, as new writes of now.")
        @Argument(help: "URL or data folder.") var server: String
        @Argument(help: "Ids; none: all.") var ids: [String] = []
        @OptionGroup var selection: SpaceSelection

        func run() async throws {
            try await reporting {
                try await each(server, selection, ids) { _ = try await $0.send(.POST, "/_gimbal/deadletters/\($1)/retry") }
            }
        }
    }

    struct Drop: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Forgets them.")
        @Argument(help: "URL or data folder.") var server: String
        @Argument(help: "Ids; none: all.") var ids: [String] = []
        @OptionGroup var selection: SpaceSelection

        func run() async throws {
            try await reporting {
                try await each(server, selection, ids) { _ = try await $0.send(.DELETE, "/_gimbal/deadletters/\($1)") }
            }
        }
    }
}
