import ArgumentParser
import Foundation
import GimbalWire
import NIOCore
import NIOHTTP1

struct MemberCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "member", abstract: "Who may write into a pivot's space.",
        subcommands: [List.self, Allow.self, Revoke.self])

    private static func write(
        _ server: String, _ selection: SpaceSelection, _ author: String, _ record: JSONValue
    ) async throws {
        let body = String(decoding: record.write(), as: UTF8.self)
        print(try await Server(server).send(.POST, selection.target("/_gimbal/members/\(author)"), body: body).text)
    }

    private static func name(_ author: String, _ given: String?) -> JSONValue { .string(given ?? String(author.prefix(8))) }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Prints author, name and grants of each member.")
        @Argument(help: "URL or data folder.") var server: String
        @OptionGroup var selection: SpaceSelection

        func run() async throws {
            try await reporting {
                for member in try await Server(server).send(.GET, selection.target("/_gimbal/members")).json.array ?? [] {
                    let writes = (member["writes"]?.array ?? []).compactMap(\.string).joined(separator: " ")
                    let state = member["revoked"]?.bool == true ? "revoked" : "writes \(writes)"
                    print(member["author"]?.string ?? "", member["name"]?.string ?? "", state)
                }
            }
        }
    }

    struct Allow: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes an author a member, or changes what it may write; in force from now on.")
        @Argument(help: "Data folder of the pivot.") var server: String
        @OptionGroup var selection: SpaceSelection
        @Argument(help: "The author's public key.") var author: String
        @Argument(help: "Patterns that it may write; everything by default.") var patterns: [String] = ["**"]
        @Option(help: "A name for people.") var name: String?

        func run() async throws {
            try await reporting {
                let record = JSONValue.object([
                    ("name", MemberCommand.name(author, name)), ("writes", .array(patterns.map { .string($0) })),
                ])
                try await MemberCommand.write(server, selection, author, record)
            }
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Takes an author's membership; what it wrote before stays.")
        @Argument(help: "Data folder of the pivot.") var server: String
        @OptionGroup var selection: SpaceSelection
        @Argument(help: "The author's public key.") var author: String

        func run() async throws {
            try await reporting {
                let record = JSONValue.object([
                    ("name", MemberCommand.name(author, nil)), ("writes", .array([])), ("revoked", .bool(true)),
                ])
                try await MemberCommand.write(server, selection, author, record)
            }
        }
    }
}
