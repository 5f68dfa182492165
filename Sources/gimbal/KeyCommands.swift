import ArgumentParser
import Foundation
import NIOCore
import NIOHTTP1

struct GetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "get", abstract: "Prints a key with its times.")

    @Argument(help: "URL or data folder.") var server: String
    @Argument(help: "Such as settings or things/42.") var key: String

    func run() async throws {
        try await reporting { print(try await Server(server).send(.GET, try Server.target(key)).text) }
    }
}

struct SetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "set", abstract: "Writes a key.")

    @Argument(help: "URL or data folder.") var server: String
    @Argument(help: "Such as settings or things/42.") var key: String
    @Argument(help: "JSON text; - reads it from standard input.") var value: String

    func run() async throws {
        try await reporting {
            print(try await Server(server).send(.POST, try Server.target(key), body: try valueText(value)).text)
        }
    }
}

struct PushCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "push", abstract: "Writes a new member of a collection under a fresh index, and prints the index.")

    @Argument(help: "URL or data folder.") var server: String
    @Argument(help: "Such as things or things/*.") var collection: String
    @Argument(help: "JSON text; - reads it from standard input.") var value: String

    func run() async throws {
        try await reporting {
            let base = collection.hasSuffix("/*") ? String(collection.dropLast(2)) : collection
            print(try await Server(server).send(.POST, try Server.target(base) + "/*", body: try valueText(value)).text)
        }
    }
}

struct DeleteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Deletes a key, or all that a pattern such as 'things/*' matches.")

    @Argument(help: "URL or data folder.") var server: String
    @Argument(help: "A key or a pattern.") var key: String

    func run() async throws {
        try await reporting { _ = try await Server(server).send(.DELETE, try Server.target(key)) }
    }
}

struct ListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Prints the keys that match a pattern, newest first, page by page.")

    @Argument(help: "URL or data folder.") var server: String
    @Argument(help: "Such as 'things/*'.") var pattern: String
    @Option(help: "Print no more than this many.") var limit: Int?

    private static let pageSize = 1000

    func run() async throws {
        try await reporting {
            let server = try Server(server)
            var left = limit ?? .max
            var cursor: String?
            repeat {
                var target = try Server.target(pattern) + "?limit=\(min(left, Self.pageSize))"
                if let cursor { target += "&cursor=\(cursor)" }
                let page = try await server.send(.GET, target)
                let items = try JSONSerialization.jsonObject(with: Data(page.body.readableBytesView)) as? [Any] ?? []
                print(page.text)
                left -= items.count
                cursor = page.headers.first(name: "Gimbal-Cursor")
            } while cursor != nil && left > 0
        }
    }
}

/// The value itself, or what standard input holds.
private func valueText(_ argument: String) throws -> String {
    guard argument == "-" else { return argument }
    // The line end that a shell adds is not part of the value.
    return String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self)
        .trimmingCharacters(in: .whitespacesAndNewlines)
}
