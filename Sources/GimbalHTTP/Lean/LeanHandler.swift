import GimbalStore
import NIOCore
import NIOHTTP1

/// Answers requests on single keys on the event loop, with no task in between, and lets everything else through to
/// Hummingbird; a connection that asks for WebSocket leaves HTTP here. Answers leave in the order of the requests, whichever of
/// the two makes them: what comes while one is being answered is held back, and reading stops when too much is, or when the
/// client does not take its answers. How a connection ends is in `LeanHandler+End`.
final class LeanHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    enum State {
        case idle
        /// The body of a request that is answered here is coming.
        case collecting(HTTPRequestHead, KeyRequest)
        /// Its answer is being made.
        case answering(isKeptAlive: Bool)
        /// Hummingbird has the request.
        case forwarding(isRequestEnded: Bool, isAnswered: Bool)
        /// The connection leaves HTTP when this request has ended.
        case upgrading(HTTPRequestHead, WebSocketPurpose, HTTPHeaders)
        /// Nothing that still comes counts: the connection closes once the last answer is out.
        case closing
    }

    /// Parts that may wait before reading stops.
    private static let heldLimit = 64

    private let keys: KeyService
    private let upgrade: WebSocketUpgrade
    let rules: ConnectionRules
    let http: HTTPHandlers
    let meter: RequestMeter
    var state = State.idle
    var held = CircularBuffer<HTTPServerRequestPart>()
    let watch: ConnectionWatch
    /// The request whose turn it is.
    var request: RequestMeter.Request?
    /// What has to be told once all answers before it are out.
    var inputEnd = InputEnd.none
    private var isReadHeld = false
    /// Whether the client is being read from: what it does not say then it keeps to itself.
    private(set) var isReading = false
    private var isWritable = true
    private var isInRead = false
    private var needsFlush = false
    private var hasForwarded = false
    /// The page of another origin that the request came from and that may read its answer.
    private var grantedOrigin: String?
    /// What is here of a body that is not whole.
    var body: BodyBudget.Share
    /// Of the request whose body is coming, once somebody asked.
    private var bodyLimit: Int?
    /// Whether the server stops: what is under way is answered, and nothing after it.
    var isQuiescing = false

    init(
        keys: KeyService, hub: SubscriptionHub, http: HTTPHandlers, meter: RequestMeter, watch: ConnectionWatch,
        rules: ConnectionRules
    ) {
        self.keys = keys
        self.rules = rules
        body = BodyBudget.Share(of: rules.bodies)
        self.http = http
        self.meter = meter
        self.watch = watch
        upgrade = WebSocketUpgrade(keys: keys, hub: hub)
    }

    // MARK: Inbound

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        held.append(unwrapInboundIn(data))
        isInRead = true
        watch.hasReadPart = true
        drain(context)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isInRead = false
        isReading = false
        watch.readComplete(isIdle: isIdle)
        if needsFlush {
            needsFlush = false
            context.flush()
        }
        context.fireChannelReadComplete()
    }

    func read(context: ChannelHandlerContext) {
        if held.count > Self.heldLimit { isReadHeld = true } else { readOn(context) }
    }

    private func readOn(_ context: ChannelHandlerContext) {
        isReading = true
        context.read()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isWritable = context.channel.isWritable
        if isWritable { drain(context) }
        context.fireChannelWritabilityChanged()
    }

    func drain(_ context: ChannelHandlerContext) {
        hasForwarded = false
        while isTaking, let part = held.popFirst() { take(part, context) }
        // What was held back comes between reads, and Hummingbird looks at it only when a read is complete.
        if hasForwarded, !isInRead { context.fireChannelReadComplete() }
        if isReadHeld, held.count <= Self.heldLimit {
            isReadHeld = false
            readOn(context)
        }
        endWhenDone(context)
    }

    var isIdle: Bool { if case .idle = state { true } else { false } }

    /// Whether the next part has its turn. A client that does not take its answers gets no more of them.
    private var isTaking: Bool {
        switch state {
        case .idle: isWritable
        case .collecting, .upgrading, .closing: true
        case .forwarding(let isRequestEnded, _): !isRequestEnded
        case .answering: false
        }
    }

    private func take(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
        switch (state, part) {
        case (.closing, _): break
        case (.idle, .head(let head)): begin(head, context)
        case (.collecting(let head, var request), .body(let bytes)):
            if let refusal = refusal(of: (request.body?.readableBytes ?? 0) + bytes.readableBytes, request) {
                return refuse(refusal, context)
            }
            // The state lets go of the buffer before it grows, so that it is not copied.
            state = .closing
            var bytes = bytes
            if request.body == nil { request.body = bytes } else { request.body?.writeBuffer(&bytes) }
            state = .collecting(head, request)
        case (.collecting(let head, let request), .end): submit(request, head, context)
        case (.upgrading(let head, let purpose, let headers), .end):
            state = .closing
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            // Outside of this call: it takes this handler out of the pipeline.
            context.eventLoop.execute {
                let (handler, context) = bound.value
                handler.upgrade.perform(head, purpose, headers, handler.http, handler, context)
            }
        case (.upgrading, .body): break
        case (.forwarding(_, let isAnswered), .end):
            state = isAnswered ? .idle : .forwarding(isRequestEnded: true, isAnswered: false)
            forward(part, context)
        default: forward(part, context)
        }
    }

    private func forward(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
        hasForwarded = true
        if case .body = part { watch.mark = .now() }
        context.fireChannelRead(wrapInboundOut(part))
    }

    private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let now = NIODeadline.now()
        watch.begin(now)
        request = RequestMeter.Request(.key, head.method, started: now)
        bodyLimit = nil
        guard mayEnter(head, context) else { return }
        if head.headers.contains(name: "upgrade") { return beginUpgrade(head, context) }
        guard let request = LeanRequest.keyRequest(head) else {
            state = .forwarding(isRequestEnded: false, isAnswered: false)
            request?.route = RequestMeter.Route(head.uri)
            return forward(.head(Compression.request(head)), context)
        }
        if let length = head.headers.first(name: "content-length").flatMap({ Int($0) }), length > KeyService.smallBodyBytes {
            let limit = keys.bodyLimit(request.target)
            guard length <= limit else { return refuse(KeyService.tooLarge(limit), context) }
        }
        state = .collecting(head, request)
        if head.headers.first(name: "expect")?.lowercased() == "100-continue" {
            context.writeAndFlush(
                wrapOutboundOut(.head(HTTPResponseHead(version: head.version, status: .continue))), promise: nil)
        }
    }

    /// Whether the door lets a request in; one that it does not is answered.
    private func mayEnter(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) -> Bool {
        grantedOrigin = nil
        switch rules.door?.judge(head) {
        case nil, .open: return true
        case .granted(let origin):
            grantedOrigin = origin
            return true
        case .refused(let refusal):
            request?.route = RequestMeter.Route(head.uri)
            write(refusal.answer, isKeptAlive: false, isHead: head.method == .HEAD, isRefusal: true, context)
            return false
        }
    }

    private func beginUpgrade(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        switch upgrade.decide(head) {
        case .accept(let purpose, let headers):
            state = .upgrading(head, purpose, headers)
            request?.route = .subscription
            finished(status: 101)
        case .refuse(let answer): write(answer, isKeptAlive: false, isHead: false, context)
        case .ignore:
            // The decoder reads nothing behind a request that offers another protocol, so this one is the last.
            var head = head
            head.headers.remove(name: "upgrade")
            head.headers.replaceOrAdd(name: "connection", value: "close")
            begin(head, context)
        }
    }

    /// Why a body of which so much is here is not waited for: its space takes no such value, or memory is used up.
    private func refusal(of size: Int, _ request: KeyRequest) -> KeyAnswer? {
        if size > KeyService.smallBodyBytes {
            let limit = bodyLimit ?? keys.bodyLimit(request.target)
            bodyLimit = limit
            guard size <= limit else { return KeyService.tooLarge(limit) }
        }
        return body.grow(to: size) ? nil : BodyBudget.usedUp
    }

    private func submit(_ request: KeyRequest, _ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let isHead = head.method == .HEAD
        state = .answering(isKeptAlive: head.isKeepAlive)
        body.release()
        let loop = context.eventLoop
        let bound = NIOLoopBound((self, context), eventLoop: loop)
        keys.answer(request, timers: loop) { answer in
            if loop.inEventLoop {
                let (handler, context) = bound.value
                handler.finish(answer, isHead: isHead, context)
            } else {
                loop.execute {
                    let (handler, context) = bound.value
                    handler.finish(answer, isHead: isHead, context)
                    handler.drain(context)
                }
            }
        }
    }

    // MARK: Outbound

    private func finish(_ answer: KeyAnswer, isHead: Bool, _ context: ChannelHandlerContext) {
        // The client may have gone away meanwhile.
        guard case .answering(let isKeptAlive) = state else { return }
        write(answer, isKeptAlive: isKeptAlive, isHead: isHead, context)
    }

    func write(
        _ answer: KeyAnswer, isKeptAlive: Bool, isHead: Bool, isRefusal: Bool = false, _ context: ChannelHandlerContext
    ) {
        let isKeptAlive = isKeptAlive && !isLastAnswer
        finished(status: answer.status)
        let body = answer.body
        let head = LeanResponse.head(answer, body: body, isKeptAlive: isKeptAlive, grantedOrigin: grantedOrigin)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if let body, !isHead { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        if isKeptAlive {
            state = .idle
            context.write(wrapOutboundOut(.end(nil)), promise: nil)
            if isInRead { needsFlush = true } else { context.flush() }
        } else {
            state = .closing
            held.removeAll()
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            close(context, isLingering: isRefusal)
        }
    }

    /// An answer is out, or all of it is on its way.
    private func finished(status: Int) {
        let now = NIODeadline.now()
        watch.mark = now
        if let request { meter.finished(request, status: status, at: now) }
        request = nil
        body.release()
    }

    /// What Hummingbird answers passes by; its end gives the next request its turn.
    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let part = unwrapOutboundIn(data)
        if case .head(var head) = part, grantedOrigin != nil || isQuiescing {
            if let grantedOrigin { CrossOrigin.grant(grantedOrigin, &head.headers) }
            if isQuiescing { head.headers.replaceOrAdd(name: "connection", value: "close") }
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        } else {
            context.write(data, promise: promise)
        }
        if case .head(let head) = part, head.status.code >= 200 { request?.status = Int(head.status.code) }
        guard case .end = part, case .forwarding(let isRequestEnded, _) = state else { return }
        finished(status: request?.status ?? 0)
        if isRequestEnded || isQuiescing {
            state = isQuiescing ? .closing : .idle
            // The end has to be out of this call before the next answer is written.
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            context.eventLoop.execute {
                let (handler, context) = bound.value
                if handler.isQuiescing { handler.close(context) } else { handler.drain(context) }
            }
        } else {
            state = .forwarding(isRequestEnded: false, isAnswered: true)
        }
    }
}
