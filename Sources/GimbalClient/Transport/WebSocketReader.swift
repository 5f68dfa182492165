import NIOCore
import NIOWebSocket

/// The client's end of an open WebSocket: puts messages into a pipe, stops reading while that is full, and finds out when the
/// server is not there any more.
final class WebSocketReader: ChannelDuplexHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    let pipe: MessagePipe
    private let interval: TimeAmount
    private var isReadHeld = false
    /// Whether anything came since the last ping.
    private var hasHeard = true
    private var pings: RepeatedTask?
    private var end = "the connection broke"
    private var rules = FrameRules()

    /// - Parameter interval: of pings; a server that says nothing for one of them is taken for gone.
    init(_ channel: any Channel, interval: TimeAmount) {
        self.interval = interval
        let handle = Handle(channel)
        pipe = MessagePipe(onDemand: { handle.goOn() }, onCancel: { handle.close() })
    }

    /// What the reader of the pipe can do to the connection, from any thread.
    private struct Handle: Sendable {
        enum Wish: Sendable {
            case goOn
            case close
        }

        let channel: any Channel

        init(_ channel: any Channel) { self.channel = channel }

        func goOn() { channel.triggerUserOutboundEvent(Wish.goOn, promise: nil) }
        func close() { channel.triggerUserOutboundEvent(Wish.close, promise: nil) }
    }

    // MARK: Life

    func handlerAdded(context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        pings = context.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in
            let (reader, context) = bound.value
            reader.ping(context)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        pings?.cancel()
        pipe.end(end)
    }

    func channelInactive(context: ChannelHandlerContext) {
        pings?.cancel()
        pipe.end(end)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end = "\(error)"
        context.close(promise: nil)
    }

    // MARK: Inbound

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        do throws(FrameRules.Violation) {
            try rules.check(frame, isFromClient: false)
            switch frame.opcode {
            case .binary, .text: pipe.offer(Array(buffer: frame.unmaskedData))
            case .ping: send(.pong, frame.unmaskedData, context)
            case .connectionClose:
                let reply = try FrameRules.reply(toClosing: frame.unmaskedData)
                var payload = frame.unmaskedData
                let code = payload.readInteger(as: UInt16.self)
                end = "closed by the server: \(code.map(String.init) ?? "") \(String(buffer: payload))"
                send(.connectionClose, reply, context)
                context.close(promise: nil)
            default: break
            }
        } catch {
            end = "the server breaks the rules of WebSocket: \(error.sentence)"
            var payload = ByteBuffer()
            payload.write(webSocketErrorCode: error.code)
            send(.connectionClose, payload, context)
            context.close(promise: nil)
        }
    }

    /// Comes with every read of the socket, also with those that complete no frame.
    func channelReadComplete(context: ChannelHandlerContext) {
        hasHeard = true
        context.fireChannelReadComplete()
    }

    func read(context: ChannelHandlerContext) {
        if pipe.isFull() { isReadHeld = true } else { context.read() }
    }

    // MARK: Outbound

    private func ping(_ context: ChannelHandlerContext) {
        // While nothing is read from the socket, no pong can be seen.
        guard !isReadHeld else { return }
        guard hasHeard else {
            end = "the server is silent"
            return context.close(promise: nil)
        }
        hasHeard = false
        send(.ping, nil, context)
    }

    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        switch event as? Handle.Wish {
        case .goOn:
            hasHeard = true
            if isReadHeld {
                isReadHeld = false
                context.read()
            }
            promise?.succeed()
        case .close:
            var payload = ByteBuffer()
            payload.write(webSocketErrorCode: .normalClosure)
            send(.connectionClose, payload, context)
            context.close(promise: promise)
        case nil: context.triggerUserOutboundEvent(event, promise: promise)
        }
    }

    private func send(_ opcode: WebSocketOpcode, _ payload: ByteBuffer?, _ context: ChannelHandlerContext) {
        let frame = WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: payload ?? ByteBuffer())
        context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
    }
}
