import HTTPTypes
import Hummingbird

/// Pages of any origin may use the client API, as with every server of the ooo protocol: what keeps strangers out is the
/// client's authentication, and until there is one the loopback address.
enum CrossOrigin {
    static let exposedHeaders = "Gimbal-Error, Gimbal-Freshness, Gimbal-Cursor, Gimbal-Total"

    static var middleware: CORSMiddleware<ServerContext> {
        CORSMiddleware(
            allowOrigin: .all, allowHeaders: [.authorization, .contentType, .gimbalRead],
            allowMethods: [.get, .head, .post, .patch, .delete], exposedHeaders: [exposedHeaders], maxAge: .hours(24))
    }

    /// Hummingbird names the exposed headers only to a preflight; browsers look for them in the answer itself.
    struct Exposure: RouterMiddleware {
        func handle(
            _ request: Request, context: ServerContext,
            next: (Request, ServerContext) async throws -> Response
        ) async throws -> Response {
            var response = try await next(request, context)
            if request.headers[.origin] != nil { response.headers[.accessControlExposeHeaders] = exposedHeaders }
            return response
        }
    }
}
