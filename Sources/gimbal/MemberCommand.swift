import ArgumentParser
import Foundation
import GimbalCRDT
import GimbalWire
import NIOCore
import NIOHTTP1

struct MemberCommand: CommandGroup {
    static let configuration = CommandConfiguration(
        commandName: "member", abstract: "Who may write into a pivot's space.",
        subcommands: [List.self, Allow.self, Revoke.self])

    /// Sends what is to change; the server keeps the rest.
    private static func change(
        _ server: String, _ selection: SpaceSelection, _ member: String, _ changes: [JSONValue.Member]
    ) async throws {
        let server = try Server(server)
        let author = try await author(member, server, selection)
        let body = String(decoding: JSONValue.object(changes).write(), as: UTF8.self)
        print(try await server.send(.POST, selection.target("/_gimbal/members/\(author)"), body: body).text)
    }

    /// The public key that is meant: a whole one, or the name of one member, or how its key begins.
    private static func author(_ text: String, _ server: Server, _ selection: SpaceSelection) async throws -> String {
        if AuthorID(hex: text) != nil { return text }
        let members = try await server.send(.GET, selection.target("/_gimbal/members")).json.array ?? []
        let meant = members.filter { member in
            let isBeginning = text.count >= shortestBeginning && member["author"]?.string?.hasPrefix(text.lowercased()) == true
            return isBeginning || member["name"]?.string == text
        }.compactMap { $0["author"]?.string }
        switch meant.count {
        case 1: return meant[0]
        case 0:
            throw CommandFailure(
                code: "no-such-member",
                sentence: "\"\(text)\" is no public key of 64 hexadecimal digits, no member's name, and no member's key begins so"
            )
        default:
            throw CommandFailure(
                code: "ambiguous-member", sentence: "\"\(text)\" may be \(meant.joined(separator: " or ")): give the key")
        }
    }

    /// Fewer digits of a key could be a slip.
    private static let shortestBeginning = 4

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
            abstract: "Makes an author a member, or changes its name or what it may write; in force from now on.")
        @Argument(help: "Data folder of the pivot.") var server: String
        @OptionGroup var selection: SpaceSelection
        @Argument(help: "The author's public key; for a member also its name, or how its key begins.") var author: String
        @Argument(help: "Patterns that it may write. Without any, a member keeps its grants, and a new one may write everything.")
        var patterns: [String] = []
        @Option(help: "A name for people.") var name: String?

        func run() async throws {
            try await reporting {
                var changes: [JSONValue.Member] = []
                if let name { changes.append(("name", .string(name))) }
                if !patterns.isEmpty { changes.append(("writes", .array(patterns.map { .string($0) }))) }
                try await MemberCommand.change(server, selection, author, changes)
            }
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Takes an author's membership; what it wrote before stays.")
        @Argument(help: "Data folder of the pivot.") var server: String
        @OptionGroup var selection: SpaceSelection
        @Argument(help: "The author's public key, or a member's name, or how its key begins.") var author: String

        func run() async throws {
            try await reporting {
                try await MemberCommand.change(server, selection, author, [("revoked", .bool(true))])
            }
        }
    }
}
