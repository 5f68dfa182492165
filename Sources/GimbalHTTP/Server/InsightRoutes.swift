import GimbalCRDT
import GimbalReplication
import GimbalStore
import GimbalWire
import HTTPTypes
import Hummingbird
import NIOCore

/// What a person wants to know about single keys and about writes that were refused.
struct InsightRoutes: Sendable {
    let host: SpaceHost
    let spaces: ServedSpaces

    /// How many of the log's last entries an explanation searches unless it is told.
    private static let defaultDepth: UInt64 = 100_000

    func add<Context: RequestContext>(to router: Router<Context>) {
        router.get("/_gimbal/explain") { request, _ in try explain(request) }
        router.get("/_gimbal/outbox") { request, _ in try outbox(request) }
        router.get("/_gimbal/deadletters") { request, _ in
            json(.array(try letters(request).map { LetterJSON.value($0.letter) }))
        }
        router.post("/_gimbal/deadletters/:id/retry") { _, context in try await retry(context) }
        router.delete("/_gimbal/deadletters/:id") { _, context in
            guard let (node, letter) = try letter(context) else { return unknownLetter }
            try node.drop(letter)
            return Response(status: .noContent)
        }
    }

    // MARK: Explanations

    private func explain(_ request: Request) throws -> Response {
        let query = request.uri.queryParameters
        guard let path = query["key"].flatMap({ Path(String($0)) }) else {
            return refusal(.badRequest, "invalid-path", "key=PATH expected")
        }
        let depth = query["depth"].flatMap { UInt64($0) } ?? Self.defaultDepth
        let home = host.home(of: path)
        let store = home.store
        guard store.isReady else {
            let answer = KeyService.notReady(home)
            return refusal(.serviceUnavailable, answer.errorCode ?? "", answer.body.map { String(buffer: $0) } ?? "")
        }
        return json(ExplanationJSON(records: store.records).value(try store.explain(path, depth: depth)))
    }

    // MARK: Outbox and dead letters

    /// How many operations an answer shows unless it is told.
    private static let defaultCount = 100

    private func outbox(_ request: Request) throws -> Response {
        let limit = request.uri.queryParameters["limit"].flatMap { Int($0) } ?? Self.defaultCount
        guard limit > 0 else { return refusal(.badRequest, "bad-page", "limit is a number from 1") }
        let operations = try followed(request).flatMap { try $0.outbox(limit: limit) }.prefix(limit)
        return json(.array(operations.map { .object(LetterJSON.fields($0)) }))
    }

    private var unknownLetter: Response { refusal(.notFound, "not-found", "no such dead letter") }

    /// All spaces that are followed, or the one that is named.
    private func followed(_ request: Request?) throws -> [NodeSpace] {
        let chosen = try request.flatMap { try spaces.named(in: $0) }
        return chosen.map { if case .node(let node) = $0.held { [node] } else { [] } } ?? spaces.followed
    }

    private func letters(_ request: Request? = nil) throws -> [(node: NodeSpace, letter: DeadLetter)] {
        try followed(request).flatMap { node in try node.deadLetters().map { (node, $0) } }
    }

    private func letter(_ context: some RequestContext) throws -> (node: NodeSpace, letter: DeadLetter)? {
        let id = context.parameters.get("id")
        return try letters().first { LetterJSON.id($0.letter) == id }
    }

    private func retry(_ context: some RequestContext) async throws -> Response {
        guard let (node, letter) = try letter(context) else { return unknownLetter }
        if case .failure(let failure) = try await node.retry(letter), failure != .notFound {
            let answer = KeyService.answer(failure)
            return refusal(.init(code: answer.status), failure.rawValue, answer.body.map { String(buffer: $0) } ?? "")
        }
        return Response(status: .noContent)
    }
}

/// Dead letters, and what else waits at a node, as JSON.
enum LetterJSON {
    /// It names an incarnation: those of two spaces differ.
    static func id(_ letter: DeadLetter) -> String {
        "\(String(letter.replica.incarnation, radix: 16))-\(letter.operation.sequence)"
    }

    static func value(_ letter: DeadLetter) -> JSONValue {
        .object([("id", .string(id(letter))), ("reason", .string(letter.reason))] + fields(letter.operation))
    }

    static func fields(_ operation: PendingOperation) -> [JSONValue.Member] {
        var value: JSONValue = .null
        let kind: String
        switch operation.action {
        case .assign(let bytes, _): (kind, value) = ("assign", ExplanationJSON.parsed(bytes))
        case .put(let bytes, _): (kind, value) = ("put", ExplanationJSON.parsed(bytes))
        case .clear: kind = "clear"
        case .remove: kind = "remove"
        }
        return [
            ("path", .string(operation.path.description)), ("kind", .string(kind)),
            ("stamp", .number("\(operation.stamp.nanoseconds)")), (JSONString("value"), value),
        ]
    }
}

/// An explanation, or a key with its siblings, as JSON.
struct ExplanationJSON {
    let records: SpaceRecords

    func value(_ explanation: Explanation) -> JSONValue {
        .object([
            ("path", .string(explanation.path.description)),
            ("type", .string(explanation.path.isRegister ? "register" : "member")),
            ("reason", .string(explanation.reason.rawValue)),
            ("standing", .array(explanation.standing.map(event))),
            ("superseded", .array(explanation.superseded.map(event))),
            ("searchedFrom", .number("\(explanation.searchedFrom)")),
        ])
    }

    private func event(_ event: Explanation.Event) -> JSONValue {
        .object(
            author(event.dot) + [
                ("kind", .string(event.kind.rawValue)),
                ("stamp", Self.number(event.stamp?.nanoseconds)),
                ("effectiveStamp", .number("\(event.effectiveStamp.nanoseconds)")),
                ("position", Self.number(event.position)),
                ("acceptedMilliseconds", Self.number(event.acceptedMilliseconds)),
                ("skewMilliseconds", Self.number(event.skewMilliseconds)),
                ("value", event.value.map(Self.parsed) ?? .null),
                ("supersededBy", event.supersededBy.map { .object(author($0)) } ?? .null),
            ])
    }

    /// Who wrote an operation. Whoever is no member is the pivot.
    private func author(_ dot: Dot) -> [JSONValue.Member] {
        [
            ("author", .string(dot.replica.author.hex)),
            ("name", .string(records.members[dot.replica.author]?.name ?? "pivot")),
            ("incarnation", .string(String(dot.replica.incarnation, radix: 16))),
            ("sequence", .number("\(dot.sequence)")),
        ]
    }

    /// `GET KEY?siblings=1`: what the key shows, who wrote it and when, and the concurrent writes that lost.
    func siblings(_ explanation: Explanation) -> JSONValue? {
        guard let state = explanation.state, let shown = state.visible else { return nil }
        var siblings: [Write] = []
        if case .member(let member) = state { siblings = member.siblings }
        return .object(
            meta(shown, in: explanation) + [
                ("siblings", .array(siblings.map { .object(meta($0, in: explanation)) }))
            ])
    }

    private func meta(_ write: Write, in explanation: Explanation) -> [JSONValue.Member] {
        let path = explanation.path
        let entry = VisibleEntry(path: path, write: write)
        let event = explanation.standing.first { $0.dot == write.dot }
        return [
            ("created", .number("\(entry.created)")), ("updated", .number("\(entry.updated)")),
            ("index", .string(path.index)), ("path", .string(path.description)), ("data", Self.parsed(entry.value)),
        ] + author(write.dot) + [
            ("stamp", Self.number(event?.stamp?.nanoseconds)), ("effectiveStamp", .number("\(write.stamp.nanoseconds)")),
            ("skewMilliseconds", Self.number(event?.skewMilliseconds)),
        ]
    }

    static func parsed(_ bytes: [UInt8]) -> JSONValue { (try? JSONValue(parsing: bytes)) ?? .null }

    private static func number(_ value: (some BinaryInteger)?) -> JSONValue { value.map { .number("\($0)") } ?? .null }
}

func json(_ value: JSONValue) -> Response {
    Response(
        status: .ok, headers: [.contentType: "application/json"],
        body: ResponseBody(byteBuffer: ByteBuffer(bytes: value.write())))
}
