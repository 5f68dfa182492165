import GimbalCRDT
import GimbalReplication
import GimbalStore
import GimbalWire
import HTTPTypes
import Hummingbird
import NIOCore
import NIOPosix

/// The client API beside the lean path: lists, deletes of whole collections, health and version, and single keys that came
/// with something that the lean path does not know.
struct ClientRoutes: Sendable {
    let keys: KeyService
    let explorer: ExplorerRoutes
    let spaces: ServedSpaces
    let bodies: BodyBudget

    private static let allowed = "GET, HEAD, POST, PATCH, DELETE"

    func add(to router: Router<ServerContext>) {
        router.get("/_health/live") { _, _ in Response(status: .ok) }
        router.get("/_health/ready") { request, _ in try ready(request) }
        router.get("/_pivot/version") { _, _ in
            jsonResponse(["protocol": GimbalVersion.protocol, "package": "gimbal", "version": GimbalVersion.current])
        }
        explorer.add(to: router)
        for method in [HTTPRequest.Method.get, .post, .patch, .delete] {
            router.on("**", method: method) { request, context in try await answer(request, context) }
        }
        for method in [HTTPRequest.Method.put, .options, .trace, .connect] {
            router.on("**", method: method) { _, _ in
                var response = refusal(.methodNotAllowed, "method-not-allowed", "allowed: \(Self.allowed)")
                response.headers[.allow] = Self.allowed
                return response
            }
        }
    }

    /// Whether every space serves, or the one that is named. A space that cannot be opened is shown by its status: waiting
    /// does not mend it, and the others serve.
    private func ready(_ request: Request) throws -> Response {
        let named = try spaces.named(in: request)
        for space in named.map({ [$0] }) ?? spaces.all {
            let standing = space.standing
            // What a change of its pivot takes out of service is not ready either.
            let isServed = keys.host[space.name].map(\.store.isReady) ?? true
            if standing.isReady, isServed { continue }
            switch standing.phase {
            case .unavailable:
                if named != nil { return response(KeyService.answer(.unavailable)) }
            case .serving where isServed:
                return refusal(.serviceUnavailable, standing.fault?.code ?? "not-ready", standing.fault?.detail ?? "")
            case .serving, .awaited: return response(KeyService.answer(.notReady))
            }
        }
        return Response(status: .ok)
    }

    private func answer(_ request: Request, _ context: ServerContext) async throws -> Response {
        let target = String(request.uri.path.dropFirst())
        guard !target.isEmpty, !target.hasPrefix("_") else {
            return refusal(.notFound, "no-route", "there is nothing here")
        }
        if target.contains("*"), !(request.method == .post && target.hasSuffix("/*") && !target.dropLast(2).contains("*")) {
            return try await answer(request, pattern: target)
        }
        return try await answer(request, key: target, context)
    }

    // MARK: Single keys

    private func answer(_ request: Request, key: String, _ context: ServerContext) async throws -> Response {
        let method: KeyRequest.Method =
            switch request.method {
            case .get, .head: .get
            case .patch: .patch
            case .delete: .delete
            default: .post
            }
        if method == .get, request.uri.queryParameters["siblings"] == "1" { return try await siblings(key, request) }
        var body: ByteBuffer?
        if method == .post || method == .patch {
            let limit = keys.bodyLimit(Array(key.utf8))
            if let stated = request.headers[.contentLength].flatMap({ Int($0) }), stated > limit {
                return response(KeyService.tooLarge(limit))
            }
            do {
                body = try await bodies.collect(request.body, upTo: limit)
            } catch is NIOTooManyBytesError {
                return response(KeyService.tooLarge(limit))
            } catch is BodyBudget.UsedUp {
                return response(BodyBudget.usedUp)
            }
        }
        let keyRequest = KeyRequest(
            method: method, target: Array(key.utf8), body: body, preference: preference(request),
            patchRule: PatchType.rule(request.headers[.contentType]))
        let answer = await withCheckedContinuation { continuation in
            keys.answer(keyRequest, timers: MultiThreadedEventLoopGroup.singleton.any()) { continuation.resume(returning: $0) }
        }
        return response(answer)
    }

    /// A key with the concurrent writes that lost, each with its author, stamps and clock skew.
    private func siblings(_ key: String, _ request: Request) async throws -> Response {
        guard let path = Path(key) else { return response(KeyService.invalidPath) }
        guard !path.isReserved else { return response(KeyService.reservedPath) }
        let served = await withCheckedContinuation { continuation in
            let timers = MultiThreadedEventLoopGroup.singleton.any()
            keys.serve(path, preference(request), timers) { continuation.resume(returning: $0) }
        }
        let home: SpaceHost.Replicated
        let freshness: Freshness
        switch served {
        case .home(let found, let known): (home, freshness) = (found, known)
        case .refusal(let answer): return response(answer)
        }
        let description = ExplanationJSON(records: home.store.records)
        guard let value = description.siblings(try home.store.explain(path, depth: 0)) else {
            return refusal(.notFound, "not-found", "ooo: empty key")
        }
        var response = json(value)
        response.headers[.gimbalFreshness] = freshness.rawValue
        return response
    }

    private func preference(_ request: Request) -> ReadPreference {
        request.headers[.gimbalRead].flatMap { ReadPreference(rawValue: $0.lowercased()) } ?? .fresh
    }

    private func response(_ answer: KeyAnswer) -> Response {
        var headers = HTTPFields()
        let body = answer.body
        if let body {
            headers[.contentType] = answer.errorCode == nil ? "application/json" : "text/plain; charset=utf-8"
            headers[.contentLength] = String(body.readableBytes)
        }
        headers[.gimbalFreshness] = answer.freshness?.rawValue
        headers[.gimbalErrorCode] = answer.errorCode
        if answer.status == 415 { headers[.acceptPatch] = PatchType.accepted }
        return Response(
            status: .init(code: answer.status), headers: headers,
            body: body.map { ResponseBody(byteBuffer: $0) } ?? ResponseBody())
    }

    // MARK: Patterns

    private func answer(_ request: Request, pattern text: String) async throws -> Response {
        guard let pattern = Pattern(text) else { return refusal(.badRequest, "invalid-path", "ooo: key is not valid") }
        switch request.method {
        case .get, .head: return try await list(pattern, request)
        case .delete: return response(try await keys.deleteAll(pattern))
        case .patch: return refusal(.badRequest, "pattern", "ooo: glob pattern not allowed for this operation")
        default:
            let sentence =
                if text == "*" {
                    "key: a push names its collection before the /*"
                } else if text.filter({ $0 == "*" }).count > 1 {
                    "key: contains more than one glob pattern"
                } else {
                    "key: glob pattern must be at the end of the path"
                }
            return refusal(.badRequest, "pattern", sentence)
        }
    }

    private func list(_ pattern: Pattern, _ request: Request) async throws -> Response {
        let query = request.uri.queryParameters
        guard let limit = KeyList.limit(query["limit"]), let cursor = KeyPlace.parse(query["cursor"]) else {
            return response(KeyService.badPage)
        }
        let list: KeyList
        let freshness: Freshness
        switch try await keys.list(
            pattern, containing: query["contains"].map(String.init), limit: limit.value, after: cursor.value, preference(request))
        {
        case .success(let answer): (list, freshness) = answer
        case .failure(let failure): return response(failure)
        }
        var headers: HTTPFields = [
            .contentType: "application/json", .gimbalFreshness: freshness.rawValue, .gimbalTotal: String(list.total),
        ]
        if let next = list.next { headers[.gimbalCursor] = next.description }
        return Response(status: .ok, headers: headers, body: ResponseBody { writer in try await list.write(to: &writer) })
    }
}

extension HTTPField.Name {
    static let gimbalRead = fixed("Gimbal-Read")
    static let gimbalFreshness = fixed("Gimbal-Freshness")
    static let gimbalCursor = fixed("Gimbal-Cursor")
    static let acceptPatch = fixed("Accept-Patch")
    static let gimbalTotal = fixed("Gimbal-Total")
}
