import Foundation
import GimbalClient
import GimbalStore
import GimbalWire
import NIOCore
import NIOWebSocket

/// What a WebSocket connection is for.
enum WebSocketPurpose {
    /// The server's time, every second.
    case clock
    case topic(TopicName, since: UInt64?)
}

/// One open WebSocket connection. What a client sends is ignored but for pings and the closing.
///
/// A reader that is slower than its messages has a bounded queue; when that is full it is emptied, and one fresh snapshot
/// follows once the reader takes bytes again. One that takes none for too long is closed, with the reason.
final class WebSocketHandler: ChannelInboundHandler, Subscriber {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = ByteBuffer

    private enum Pace {
        /// Gets messages as they come, or from its queue.
        case following
        /// Its queue overflowed; gets a snapshot when it reads again.
        case fellBehind
        /// That snapshot is on its way.
        case catchingUp
    }

    private static let queueCountLimit = 256
    private static let queueByteLimit = 1 << 20
    /// How long a reader may take no bytes at all.
    private static let writeDeadline = TimeAmount.seconds(15)
    /// How long the other side may take to answer a closing.
    private static let closingDeadline = TimeAmount.seconds(5)

    private let keys: KeyService
    private let hub: SubscriptionHub
    private let purpose: WebSocketPurpose
    private var context: ChannelHandlerContext?
    private var subscription: UInt64?
    private var pace = Pace.following
    private var queue = CircularBuffer<ByteBuffer>()
    private var queuedBytes = 0
    private var isClosing = false
    private var rules = FrameRules()
    private var stalled: Scheduled<Void>?
    private var ticks: RepeatedTask?

    init(keys: KeyService, hub: SubscriptionHub, purpose: WebSocketPurpose) {
        self.keys = keys
        self.hub = hub
        self.purpose = purpose
    }

    // MARK: Life

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    /// Called when the upgrade is answered: from here on the connection speaks WebSocket.
    func begin() {
        guard let loop = context?.eventLoop else { return }
        let bound = NIOLoopBound(self, eventLoop: loop)
        switch purpose {
        case .clock:
            ticks = loop.scheduleRepeatedTask(initialDelay: .zero, delay: .seconds(1)) { _ in bound.value.tick() }
        case .topic(let name, let since):
            keys.refresh(name, timers: loop) { loop.execute { bound.value.subscribe(name, since) } }
        }
    }

    private func subscribe(_ name: TopicName, _ since: UInt64?) {
        guard let loop = context?.eventLoop else { return }
        subscription = hub.subscribe(self, on: loop, to: name, since: since)
    }

    private func tick() {
        let nanoseconds = Date().unixNanoseconds
        // A clock that waits in a queue is no clock.
        guard context?.channel.isWritable == true else { return }
        send(ServerFrame.make(.binary, ByteBuffer(string: String(nanoseconds))))
    }

    func channelInactive(context: ChannelHandlerContext) {
        leave()
        self.context = nil
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        leave()
        self.context = nil
    }

    private func leave() {
        if let subscription, case .topic(let name, _) = purpose { hub.unsubscribe(subscription, from: name) }
        subscription = nil
        ticks?.cancel()
        stalled?.cancel()
        queue.removeAll()
    }

    // MARK: Outbound

    func offer(_ frame: ByteBuffer) {
        guard !isClosing, pace == .following, let context else { return }
        if queue.isEmpty, context.channel.isWritable { return send(frame) }
        queue.append(frame)
        queuedBytes += frame.readableBytes
        if queue.count > Self.queueCountLimit || queuedBytes > Self.queueByteLimit {
            queue.removeAll()
            queuedBytes = 0
            pace = .fellBehind
            catchUp()
        }
    }

    func offer(snapshot: ByteBuffer) {
        guard !isClosing, pace == .catchingUp else { return }
        pace = .following
        offer(snapshot)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            stalled?.cancel()
            stalled = nil
            while context.channel.isWritable, let frame = queue.popFirst() {
                queuedBytes -= frame.readableBytes
                send(frame)
            }
            catchUp()
        } else if stalled == nil {
            let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
            stalled = context.eventLoop.scheduleTask(in: Self.writeDeadline) {
                bound.value.end(
                    .policyViolation, "too slow: nothing was read for \(Self.writeDeadline.nanoseconds / 1_000_000_000) s")
            }
        }
        context.fireChannelWritabilityChanged()
    }

    private func catchUp() {
        guard pace == .fellBehind, context?.channel.isWritable == true, let subscription, case .topic(let name, _) = purpose
        else { return }
        pace = .catchingUp
        hub.refresh(subscription, of: name)
    }

    private func send(_ frame: ByteBuffer) { context?.writeAndFlush(wrapOutboundOut(frame), promise: nil) }

    func end(_ code: WebSocketErrorCode, _ reason: String) {
        guard !isClosing, let context else { return }
        isClosing = true
        leave()
        send(ServerFrame.close(code, reason))
        let channel = context.channel
        context.eventLoop.scheduleTask(in: Self.closingDeadline) { channel.close(promise: nil) }
    }

    // MARK: Inbound

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        do throws(FrameRules.Violation) {
            try rules.check(frame, isFromClient: true)
        } catch {
            return end(error.code, error.sentence)
        }
        switch frame.opcode {
        case .ping: if !isClosing { send(ServerFrame.make(.pong, frame.unmaskedData)) }
        case .connectionClose: finish(frame.unmaskedData, context)
        default: break
        }
    }

    /// The client's word to close: its code is said back if it is one, then the connection ends.
    private func finish(_ payload: ByteBuffer, _ context: ChannelHandlerContext) {
        let channel = context.channel
        guard !isClosing else { return channel.close(promise: nil) }
        isClosing = true
        leave()
        let reply: ByteBuffer
        do throws(FrameRules.Violation) {
            reply = ServerFrame.make(.connectionClose, try FrameRules.reply(toClosing: payload))
        } catch {
            reply = ServerFrame.close(error.code, error.sentence)
        }
        context.writeAndFlush(wrapOutboundOut(reply)).whenComplete { _ in channel.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? NIOWebSocketError else { return context.close(promise: nil) }
        end(WebSocketErrorCode(error), "\(error)")
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent { end(.goingAway, "the server stops") }
        context.fireUserInboundEventTriggered(event)
    }
}

extension WebSocketErrorCode {
    init(_ error: NIOWebSocketError) {
        self = if case .invalidFrameLength = error { .messageTooLarge } else { .protocolError }
    }
}

extension KeyService {
    /// Asks the pivots of whatever a topic may show, so that its first message is as fresh as a read.
    func refresh(_ name: TopicName, timers: any EventLoop, then: @escaping @Sendable () -> Void) {
        switch name {
        case .key(let path): refresh([host.home(of: path)], timers, then)
        case .list(let pattern): refresh(host.homes(of: pattern)[...], timers, then)
        // Its client reads after the first message, as fresh as it likes.
        case .changes: then()
        }
    }

    private func refresh(
        _ homes: ArraySlice<SpaceHost.Replicated>, _ timers: any EventLoop, _ then: @escaping @Sendable () -> Void
    ) {
        guard let first = homes.first else { return then() }
        refresh(first, .fresh, timers) { _ in refresh(homes.dropFirst(), timers, then) }
    }
}
