import HTTPTypes
import Hummingbird
import NIOHTTP1

/// What browsers have to be told before a page of another origin may use the client API: said to origins that the operator
/// named, and to nobody else (`Door`).
enum CrossOrigin {
    private static let exposedHeaders = "Gimbal-Error, Gimbal-Freshness, Gimbal-Cursor, Gimbal-Total"

    /// Adds to an answer what lets the page read it.
    static func grant(_ origin: String, _ headers: inout HTTPHeaders) {
        headers.replaceOrAdd(name: "Access-Control-Allow-Origin", value: origin)
        headers.replaceOrAdd(name: "Access-Control-Expose-Headers", value: exposedHeaders)
        headers.add(name: "Vary", value: "Origin")
    }

    /// Answers the question that a browser asks before it sends what a form could not. The origin itself was judged before, and
    /// `grant` says it.
    struct Preflight: RouterMiddleware {
        func handle(
            _ request: Request, context: ServerContext,
            next: (Request, ServerContext) async throws -> Response
        ) async throws -> Response {
            guard request.method == .options, request.headers[.origin] != nil,
                request.headers[.accessControlRequestMethod] != nil
            else { return try await next(request, context) }
            var response = Response(status: .noContent)
            response.headers[.accessControlAllowMethods] = "GET, HEAD, POST, PATCH, DELETE"
            response.headers[.accessControlAllowHeaders] = "authorization, content-type, gimbal-read"
            response.headers[.accessControlMaxAge] = "86400"
            if request.headers[.privateNetworkRequest] != nil { response.headers[.privateNetworkGrant] = "true" }
            return response
        }
    }
}

extension HTTPField.Name {
    fileprivate static let privateNetworkRequest = fixed("Access-Control-Request-Private-Network")
    fileprivate static let privateNetworkGrant = fixed("Access-Control-Allow-Private-Network")
}
