import NIOCore
import NIOHTTP1

/// The first handler of a connection: answers whole requests on single keys from their bytes, without the HTTP codec.
///
/// At the first request that `RequestScanner` does not know it steps out of the pipeline for good, and every byte from there
/// on is the codec's: which of the two reads a request never depends on the one before, and answers stay in order because
/// the hand-over waits for the answer that is being made.
final class FastLane: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Bytes that may wait for an answer before reading stops.
    private static let heldLimit = 64 << 10

    private let keys: KeyService
    private let meter: RequestMeter
    private let watch: ConnectionWatch
    /// Nil where no page gets to.
    private let door: Door?
    /// What was read and not yet taken.
    private var held: ByteBuffer?
    private var isAnswering = false
    private var isInRead = false
    private var needsFlush = false
    private var isReadHeld = false
    private var isWritable = true
    /// Events that say that the connection ends, or should: they pass when the answer is out.
    private var heldEvents: [Any] = []

    init(keys: KeyService, meter: RequestMeter, watch: ConnectionWatch, door: Door?) {
        self.keys = keys
        self.meter = meter
        self.watch = watch
        self.door = door
    }

    // MARK: Inbound

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if held == nil { held = bytes } else { held?.writeBuffer(&bytes) }
        isInRead = true
        // What waits for its turn is no head that stays unfinished.
        if isAnswering || !isWritable { watch.hasReadPart = true }
        serve(context)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isWritable = context.channel.isWritable
        // A client that does not take its answers gets no more of them.
        if isWritable { resume(context) }
        context.fireChannelWritabilityChanged()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isInRead = false
        flushIfNeeded(context)
        context.fireChannelReadComplete()
    }

    func read(context: ChannelHandlerContext) {
        if isAnswering || !isWritable, held?.readableBytes ?? 0 > Self.heldLimit { isReadHeld = true } else { context.read() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        held = nil
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if isAnswering, event is ChannelShouldQuiesceEvent || event is ChannelEvent {
            heldEvents.append(event)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    // MARK: Requests

    private func serve(_ context: ChannelHandlerContext) {
        while !isAnswering, isWritable, let bytes = held {
            guard bytes.readableBytes > 0 else {
                held = nil
                return
            }
            guard let found = RequestScanner.scan(bytes), mayEnter(found, bytes) else { return handOver(context) }
            held?.moveReaderIndex(forwardBy: found.length)
            answer(found, context)
        }
    }

    /// Whether it came from no page: `Origin` is no header that the scanner knows, so that only the name in `Host` is left.
    private func mayEnter(_ found: RequestScanner.Found, _ bytes: ByteBuffer) -> Bool {
        guard let host = found.namedHost, let door else { return true }
        return bytes.viewBytes(at: host.lowerBound, length: host.count).map(door.hosts.allow) ?? false
    }

    private func answer(_ found: RequestScanner.Found, _ context: ChannelHandlerContext) {
        isAnswering = true
        watch.isAnswering = true
        let now = NIODeadline.now()
        watch.begin(now)
        let request = RequestMeter.Request(.key, found.method, started: now)
        let loop = context.eventLoop
        let isHead = found.isHead
        let bound = NIOLoopBound((self, context), eventLoop: loop)
        keys.answer(found.request, timers: loop) { answer in
            if loop.inEventLoop {
                let (lane, context) = bound.value
                lane.write(answer, request, isHead, context)
            } else {
                loop.execute {
                    let (lane, context) = bound.value
                    lane.write(answer, request, isHead, context)
                    lane.resume(context)
                }
            }
        }
    }

    private func write(
        _ answer: KeyAnswer, _ request: RequestMeter.Request, _ isHead: Bool, _ context: ChannelHandlerContext
    ) {
        isAnswering = false
        watch.isAnswering = false
        let now = NIODeadline.now()
        watch.mark = now
        meter.finished(request, status: answer.status, at: now)
        // The client may have gone away meanwhile.
        guard context.channel.isActive else { return }
        context.write(wrapOutboundOut(LeanResponse.bytes(answer, isHead: isHead, context.channel.allocator)), promise: nil)
        if isInRead { needsFlush = true } else { context.flush() }
    }

    /// After an answer that came from elsewhere: what arrived meanwhile has its turn.
    private func resume(_ context: ChannelHandlerContext) {
        serve(context)
        guard !isAnswering, isWritable else { return }
        releaseEvents(context)
        if isReadHeld {
            isReadHeld = false
            context.read()
        }
    }

    private func releaseEvents(_ context: ChannelHandlerContext) {
        let events = heldEvents
        heldEvents = []
        for event in events { context.fireUserInboundEventTriggered(event) }
    }

    private func flushIfNeeded(_ context: ChannelHandlerContext) {
        guard needsFlush else { return }
        needsFlush = false
        context.flush()
    }

    private func handOver(_ context: ChannelHandlerContext) {
        guard let rest = held else { return }
        held = nil
        flushIfNeeded(context)
        context.fireChannelRead(wrapInboundOut(rest))
        // Between reads nobody else says that this one is complete.
        if !isInRead { context.fireChannelReadComplete() }
        releaseEvents(context)
        if isReadHeld { context.read() }
        _ = context.pipeline.syncOperations.removeHandler(context: context)
    }
}
