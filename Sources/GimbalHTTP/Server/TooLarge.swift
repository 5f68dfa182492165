import HTTPTypes
import Hummingbird
import NIOCore

/// A body over its route's limit is refused with the same code everywhere.
struct TooLarge: RouterMiddleware {
    func handle(
        _ request: Request, context: ServerContext,
        next: (Request, ServerContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch is NIOTooManyBytesError {
            return refusal(.contentTooLarge, "too-large", "the body is larger than this route takes")
        }
    }
}
