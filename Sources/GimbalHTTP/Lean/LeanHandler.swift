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
        case collecting(KeyRequest)
        /// Its answer is being made.
        case answering
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
    let http: HTTPHandlers
    let meter: RequestMeter
    let rules: ConnectionRules
    var state = State.idle
    var held = CircularBuffer<HTTPServerRequestPart>()
    let watch: ConnectionWatch
    /// The request whose turn it is.
    var request: RequestMeter.Request?
    /// What its answer has to look like.
    var form = AnswerForm()
    /// Counts bodies that come in chunks; nil until there was one.
    private var chunks: ChunkOverhead?
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
        self.rules = rules
        body = BodyBudget.Share(of: rules.bodies)
        self.keys = keys
        self.http = http
        self.meter = meter
        self.watch = watch
        upgrade = WebSocketUpgrade(keys: keys, hub: hub)
    }

    // MARK: Inbound

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        count(part, context)
        held.append(part)
        isInRead = true
        watch.hasReadPart = true
        drain(context)
    }

    private func count(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
        switch part {
        case .head(let head):
            guard head.headers.contains(name: "transfer-encoding") else { return }
            if chunks == nil {
                let chunks = ChunkOverhead()
                try? context.pipeline.syncOperations.addHandler(chunks, position: .before(http.decoder))
                self.chunks = chunks
            }
            chunks?.begin()
        case .body(let bytes): chunks?.take(bytes.readableBytes)
        case .end: chunks?.end()
        }
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
        case (.collecting(var request), .body(let bytes)):
            if let refusal = refusal(of: (request.body?.readableBytes ?? 0) + bytes.readableBytes, request) {
                return refuse(refusal, context)
            }
            // The state lets go of the buffer before it grows, so that it is not copied.
            state = .closing
            var bytes = bytes
            if request.body == nil { request.body = bytes } else { request.body?.writeBuffer(&bytes) }
            state = .collecting(request)
        case (.collecting(let request), .end): submit(request, context)
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
        if case .body = part {
            watch.mark = .now()
            form.isBodyHeldBack = false
        }
        context.fireChannelRead(wrapInboundOut(part))
    }

    private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let now = NIODeadline.now()
        watch.begin(now)
        request = RequestMeter.Request(.key, head.method, started: now)
        (bodyLimit, grantedOrigin) = (nil, nil)
        form = AnswerForm(head)
        var head = head
        // Every answer to a request, and every check of one, comes behind this.
        if let refusal = RequestReading.refusal(of: &head) ?? refusalAtDoor(head) { return refuse(refusal, context) }
        if head.headers.contains(name: "upgrade") { beginUpgrade(head, context) } else { route(head, context) }
    }

    private func route(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let length = head.headers.first(name: "content-length").flatMap { Int($0) } ?? 0
        guard let request = LeanRequest.keyRequest(head) else {
            let isOwn = head.uri.utf8.dropFirst().first == UInt8(ascii: "_")
            guard isOwn || length <= KeyService.maximumBodyBytes else {
                return refuse(KeyService.tooLarge(KeyService.maximumBodyBytes), context)
            }
            return forward(head, context)
        }
        if length > KeyService.smallBodyBytes {
            let limit = keys.bodyLimit(request.target)
            guard length <= limit else { return refuse(KeyService.tooLarge(limit), context) }
        }
        state = .collecting(request)
        if form.isBodyHeldBack { askForBody(context) }
    }

    /// Why the door does not let a request in; nil for one that it does.
    private func refusalAtDoor(_ head: HTTPRequestHead) -> KeyAnswer? {
        switch rules.door?.judge(head) {
        case nil, .open: return nil
        case .granted(let origin):
            grantedOrigin = origin
            return nil
        case .refused(let refusal):
            request?.route = RequestMeter.Route(head.uri)
            return refusal.answer
        }
    }

    private func forward(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        state = .forwarding(isRequestEnded: false, isAnswered: false)
        request?.route = RequestMeter.Route(head.uri)
        var head = Compression.request(head)
        // Hummingbird looks for just this.
        if !form.isKeptAlive { head.headers.replaceOrAdd(name: "connection", value: "close") }
        forward(.head(head), context)
    }

    private func askForBody(_ context: ChannelHandlerContext) {
        form.isBodyHeldBack = false
        context.writeAndFlush(
            wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .continue))), promise: nil)
    }

    private func beginUpgrade(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        switch upgrade.decide(head) {
        case .accept(let purpose, let headers):
            state = .upgrading(head, purpose, headers)
            request?.route = .subscription
            finished(status: 101)
        case .refuse(let answer):
            form.isKeptAlive = false
            write(answer, context)
        case .ignore:
            // The decoder reads nothing behind a request that offers another protocol, so this one is the last.
            form.isKeptAlive = false
            var head = head
            head.headers.remove(name: "upgrade")
            route(head, context)
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

    private func submit(_ request: KeyRequest, _ context: ChannelHandlerContext) {
        state = .answering
        body.release()
        let loop = context.eventLoop
        let bound = NIOLoopBound((self, context), eventLoop: loop)
        keys.answer(request, timers: loop) { answer in
            if loop.inEventLoop {
                let (handler, context) = bound.value
                handler.finish(answer, context)
            } else {
                loop.execute {
                    let (handler, context) = bound.value
                    handler.finish(answer, context)
                    handler.drain(context)
                }
            }
        }
    }

    // MARK: Outbound

    private func finish(_ answer: KeyAnswer, _ context: ChannelHandlerContext) {
        // The client may have gone away meanwhile.
        guard case .answering = state else { return }
        write(answer, context)
    }

    func write(_ answer: KeyAnswer, isRefusal: Bool = false, _ context: ChannelHandlerContext) {
        form.isKeptAlive = form.isKeptAlive && !isLastAnswer
        finished(status: answer.status)
        let body = answer.body
        let head = LeanResponse.head(answer, body: body, form, grantedOrigin: grantedOrigin)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if let body, !form.isHead { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        if form.isKeptAlive {
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

    /// What Hummingbird answers passes by, in the form that its request asks for; its end gives the next request its turn.
    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .forwarding(let isRequestEnded, _) = state else { return context.write(data, promise: promise) }
        switch unwrapOutboundIn(data) {
        case .head(var head):
            request?.status = Int(head.status.code)
            if let grantedOrigin { CrossOrigin.grant(grantedOrigin, &head.headers) }
            // A body that was never asked for may come or not: nothing that follows could be told from it.
            if isQuiescing || form.isBodyHeldBack && !isRequestEnded { form.isKeptAlive = false }
            context.write(wrapOutboundOut(.head(form.shape(head))), promise: promise)
        case .body:
            if form.isHead { promise?.succeed() } else { context.write(data, promise: promise) }
        case .end:
            context.write(data, promise: promise)
            finished(status: request?.status ?? 0)
            finishForwarding(isRequestEnded: isRequestEnded, context)
        }
    }

    private func finishForwarding(isRequestEnded: Bool, _ context: ChannelHandlerContext) {
        guard form.isKeptAlive, !isQuiescing else {
            state = .closing
            held.removeAll()
            return close(context, isLingering: !isRequestEnded)
        }
        guard isRequestEnded else {
            state = .forwarding(isRequestEnded: false, isAnswered: true)
            return
        }
        state = .idle
        // The end has to be out of this call before the next answer is written.
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.execute {
            let (handler, context) = bound.value
            handler.drain(context)
        }
    }

    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        guard event is HeldBackBody.IsWanted else { return context.triggerUserOutboundEvent(event, promise: promise) }
        promise?.succeed()
        guard case .forwarding(isRequestEnded: false, isAnswered: false) = state, form.isBodyHeldBack else { return }
        askForBody(context)
    }
}
