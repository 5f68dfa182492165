import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalStore
import GimbalWire
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// Who may write into a space that this process leads. Changes are taken through the operator's socket alone.
struct MemberRoutes: Sendable {
    let spaces: ServedSpaces
    let isOperator: Bool
    let logger: Logger

    private static let bodyLimit = 1 << 16

    func add<Context: RequestContext>(to router: Router<Context>) {
        router.get("/_gimbal/members") { request, _ in
            json(.array(Self.members(try spaces.select(request)).map(Self.describe)))
        }
        router.post("/_gimbal/members/:author") { request, context in try await change(request, context) }
    }

    private static func members(_ space: ServedSpace) -> [(AuthorID, MemberRecord)] {
        let members: [AuthorID: MemberRecord] =
            switch space.held {
            case .pivot(let pivot): pivot.records.members
            case .node(let node): node.records.members
            case .none: [:]
            }
        return members.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    private static func describe(_ author: AuthorID, _ member: MemberRecord) -> JSONValue {
        .object([
            ("author", .string(author.hex)), ("name", .string(member.name)),
            ("writes", .array(member.writes.map { .string($0.description) })), ("revoked", .bool(member.isRevoked)),
        ])
    }

    /// The one that is named, or the only one that is led here.
    private func space(_ request: Request) throws -> ServedSpace {
        let led = spaces.led
        if try spaces.named(in: request) == nil, led.count == 1 { return led[0].served }
        return try spaces.select(request)
    }

    private struct Failure: Error {
        var code: String
        var sentence: String
    }

    /// What a member is to become: what the body leaves out stays as it is. A new member may write everything unless it is
    /// told; to one that was revoked nothing comes back by itself.
    private static func changed(
        _ member: MemberRecord?, _ author: AuthorID, by body: [UInt8]
    ) -> Result<MemberRecord, Failure> {
        let malformed = Failure(code: "bad-member", sentence: "{\"name\":…,\"writes\":[patterns],\"revoked\":…} expected")
        guard let value = try? JSONValue(parsing: body), case .object = value else { return .failure(malformed) }
        var changed = member ?? MemberRecord(name: String(author.hex.prefix(8)), writes: [.everything])
        if let name = value["name"] {
            guard let name = name.string else { return .failure(malformed) }
            changed.name = name
        }
        changed.isRevoked = value["revoked"]?.bool ?? false
        if let writes = value["writes"] {
            let patterns = writes.array?.map { $0.string.flatMap { Pattern($0) } }
            guard let patterns, !patterns.contains(nil) else { return .failure(malformed) }
            changed.writes = patterns.compactMap { $0 }
        } else if changed.isRevoked {
            changed.writes = []
        } else if member?.isRevoked == true {
            return .failure(
                Failure(code: "patterns-needed", sentence: "the member is revoked: say which patterns it may write again"))
        }
        return .success(changed)
    }

    private func change(_ request: Request, _ context: some RequestContext) async throws -> Response {
        guard isOperator else {
            return refusal(.forbidden, "operator-only", "members are changed through the operator's socket in the data folder")
        }
        guard case .pivot(let pivot) = try space(request).held else {
            return refusal(.conflict, "not-the-pivot", "members are changed at the pivot of the space")
        }
        var request = request
        let body = [UInt8](buffer: try await request.collectBody(upTo: Self.bodyLimit))
        guard let author = context.parameters.get("author").flatMap({ AuthorID(hex: $0) }) else {
            return refusal(.badRequest, "bad-author", "a public key of 64 hexadecimal digits expected")
        }
        let member: MemberRecord
        switch Self.changed(pivot.records.members[author], author, by: body) {
        case .success(let changed): member = changed
        case .failure(let failure): return refusal(.badRequest, failure.code, failure.sentence)
        }
        let written = await pivot.write(.record(SpaceRecords.memberPath(author), value: member.json))
        if case .failure(let failure) = written {
            let answer = KeyService.answer(failure)
            return refusal(.init(code: answer.status), failure.rawValue, answer.body.map { String(buffer: $0) } ?? "")
        }
        logger.notice(
            "a member was changed",
            metadata: [
                "author": "\(author)", "writes": "\(member.writes.map(\.description).joined(separator: " "))",
                "revoked": "\(member.isRevoked)",
            ])
        return json(Self.describe(author, member))
    }
}
