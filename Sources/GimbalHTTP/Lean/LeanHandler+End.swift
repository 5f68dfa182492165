import NIOCore
import NIOHTTP1

/// How a connection ends: the client has said all, says what is not HTTP, or keeps the server waiting.
extension LeanHandler {
    /// What came behind the last request.
    enum InputEnd {
        case none
        /// The client will say no more, and may still wait for its answers.
        case closed
        case malformed
    }

    /// How long a client that was refused may go on sending what nobody reads, so that it sees the answer and not a reset.
    private static let lingering = TimeAmount.seconds(2)
    private static let patienceWhenFull = TimeAmount.seconds(5)
    private static let patienceWhenStopping = TimeAmount.seconds(1)

    func handlerAdded(context: ChannelHandlerContext) {
        meter.opened()
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        watch.start(on: context.eventLoop) {
            let (handler, context) = bound.value
            handler.look(context)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        meter.closed()
        watch.stop()
    }

    func channelInactive(context: ChannelHandlerContext) {
        state = .closing
        held.removeAll()
        body.release()
        watch.stop()
        context.fireChannelInactive()
    }

    // MARK: The client has ended its side

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent { return quiesce(context) }
        guard case .inputClosed? = event as? ChannelEvent else { return context.fireUserInboundEventTriggered(event) }
        switch state {
        case .forwarding(isRequestEnded: false, _), .upgrading: return context.fireUserInboundEventTriggered(event)
        // A node that has gone away is not one that follows.
        case .forwarding where request?.route == .log, .collecting, .closing: return context.close(promise: nil)
        case .idle, .answering, .forwarding: break
        }
        if case .none = inputEnd { inputEnd = .closed }
        endWhenDone(context)
    }

    /// What is no HTTP ends its connection here, however far it came: Hummingbird would answer it with a response that no
    /// request asked for, and the compressor behind this handler traps on one.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is HTTPParserError else { return context.fireErrorCaught(error) }
        switch state {
        case .closing: return
        case .forwarding(isRequestEnded: false, _), .upgrading:
            state = .closing
            context.close(promise: nil)
        case .collecting: refuseMalformed(context)
        case .idle, .answering, .forwarding:
            inputEnd = .malformed
            endWhenDone(context)
        }
    }

    /// Whether the answer that is being written is the last one.
    var isLastAnswer: Bool {
        if isQuiescing { return true }
        return if case .closed = inputEnd { held.isEmpty } else { false }
    }

    /// Ends the connection once everything before its end is answered.
    func endWhenDone(_ context: ChannelHandlerContext) {
        guard isIdle, held.isEmpty else { return }
        switch inputEnd {
        case .none: break
        case .closed:
            state = .closing
            close(context)
        case .malformed: refuseMalformed(context)
        }
    }

    private func refuseMalformed(_ context: ChannelHandlerContext) {
        refuse(.failure(400, "bad-request", "this is not a whole HTTP/1.1 request"), context)
    }

    /// Answers, reads no more and ends the connection.
    func refuse(_ answer: KeyAnswer, _ context: ChannelHandlerContext) {
        // Counted also where nobody could tell what was asked for.
        if request == nil {
            request = RequestMeter.Request(.other, .RAW(value: ""), started: .now())
            form = AnswerForm()
        }
        form.isKeptAlive = false
        write(answer, isRefusal: true, context)
    }

    /// Closes the connection when everything that was written is out.
    ///
    /// - Parameter isLingering: the client may be in the middle of a sentence.
    func close(_ context: ChannelHandlerContext, isLingering: Bool = false) {
        guard let wire = try? context.pipeline.syncOperations.context(handler: http.encoder) else {
            return context.close(promise: nil)
        }
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        let linger = isLingering && !isLastAnswer
        wire.writeAndFlush(NIOAny(IOData.byteBuffer(ByteBuffer()))).whenComplete { _ in
            let context = bound.value
            guard linger else { return context.close(promise: nil) }
            context.close(mode: .output, promise: nil)
            context.eventLoop.scheduleTask(in: Self.lingering) { bound.value.close(promise: nil) }
        }
    }

    // MARK: The server stops

    /// What is under way gets its answer, for as long as a shutdown may take: a client that neither sends nor takes does not
    /// keep the server from stopping. Hummingbird is not told: it would end a connection before the answer is out.
    private func quiesce(_ context: ChannelHandlerContext) {
        guard !isQuiescing else { return }
        isQuiescing = true
        let channel = context.channel
        context.eventLoop.scheduleTask(in: rules.shutdown) { channel.close(promise: nil) }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: min(rules.shutdown, Self.patienceWhenStopping)) {
            if bound.value.isAwaitingBody { channel.close(promise: nil) }
        }
        guard isIdle else { return }
        state = .closing
        held.removeAll()
        close(context)
    }

    /// Whether a request is here in part, and nothing was said about it.
    private var isAwaitingBody: Bool {
        switch state {
        case .collecting, .forwarding(isRequestEnded: false, isAnswered: false), .upgrading: true
        default: false
        }
    }

    // MARK: The client keeps the server waiting

    private func look(_ context: ChannelHandlerContext) {
        let now = NIODeadline.now()
        let unwritten = (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        if request?.route != .log, watch.isStuck(unwritten: unwritten, now) {
            meter.timedOut("reader")
            return context.close(promise: nil)
        }
        switch state {
        case .idle:
            let (reason, limit) = watch.idle
            // A client that reads slowly is not idle.
            if unwritten == 0, !watch.isAnswering, watch.isOver(patience(limit), now) {
                giveUp(reason, isAnswered: reason == "head", context)
            }
        case .collecting:
            if watch.isOver(watch.timeouts.body, now) { giveUp("body", isAnswered: true, context) }
        case .forwarding(isRequestEnded: false, _):
            if !isReading || !held.isEmpty {
                // What is not asked for is not late.
                watch.mark = now
            } else if watch.isOver(watch.timeouts.body, now) {
                giveUp("body", isAnswered: false, context)
            }
        case .answering, .forwarding, .upgrading, .closing: break
        }
    }

    /// Who says nothing has less time where others wait for its place.
    private func patience(_ limit: TimeAmount) -> TimeAmount {
        rules.places?.isFull == true ? min(limit, Self.patienceWhenFull) : limit
    }

    private func giveUp(_ reason: String, isAnswered: Bool, _ context: ChannelHandlerContext) {
        meter.timedOut(reason)
        guard isAnswered else { return context.close(promise: nil) }
        refuse(.failure(408, "timeout", "the request did not come to its end in time"), context)
    }
}
