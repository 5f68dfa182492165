import NIOCore
import NIOHTTP1

/// What every request is answered with, built once.
struct FixedAnswer: Sendable {
    let head: HTTPResponseHead
    let body: ByteBuffer

    init(body text: String) {
        body = ByteBuffer(string: text)
        let headers: HTTPHeaders = ["content-type": "application/json", "content-length": String(body.readableBytes)]
        head = HTTPResponseHead(version: .http1_1, status: .ok, headers: headers)
    }
}

/// Answers when a request has arrived whole, so that one with a body (a POST) is as correct as a GET.
final class FixedAnswerHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let answer: FixedAnswer

    init(answer: FixedAnswer) {
        self.answer = answer
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .end = unwrapInboundIn(data) else { return }
        context.write(wrapOutboundOut(.head(answer.head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(answer.body))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
