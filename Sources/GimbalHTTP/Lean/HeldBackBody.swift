import HTTPTypes
import Hummingbird
import NIOCore

/// A body that its client holds back (`Expect: 100-continue`) is asked for when its route begins to read it, so that whoever
/// is refused before need not send it (RFC 9110 §10.1.1).
struct HeldBackBody: RouterMiddleware {
    /// To whoever has the connection: the body is wanted now.
    struct IsWanted: Sendable {}

    func handle(
        _ request: Request, context: ServerContext,
        next: (Request, ServerContext) async throws -> Response
    ) async throws -> Response {
        guard request.headers[.expect] != nil else { return try await next(request, context) }
        var request = request
        request.body = RequestBody(asyncSequence: Asking(body: request.body, channel: context.channel))
        return try await next(request, context)
    }

    private struct Asking: AsyncSequence, Sendable {
        typealias Element = ByteBuffer

        let body: RequestBody
        let channel: any Channel

        func makeAsyncIterator() -> AsyncIterator { AsyncIterator(base: body.makeAsyncIterator(), channel: channel) }

        struct AsyncIterator: AsyncIteratorProtocol {
            var base: RequestBody.AsyncIterator
            let channel: any Channel
            var hasAsked = false

            mutating func next() async throws -> ByteBuffer? {
                if !hasAsked { channel.triggerUserOutboundEvent(IsWanted(), promise: nil) }
                hasAsked = true
                return try await base.next()
            }
        }
    }
}
