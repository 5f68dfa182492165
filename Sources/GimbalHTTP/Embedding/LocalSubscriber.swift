import GimbalClient
import NIOCore
import NIOWebSocket

/// A subscription inside the process. A reader that is slower than the messages gets one fresh snapshot when it reads again.
final class LocalSubscriber: Subscriber {
    private enum Pace {
        case following
        /// The pipe was full; a snapshot follows when it is wanted.
        case fellBehind
        case catchingUp
    }

    private let pipe: MessagePipe
    private let hub: SubscriptionHub
    private let name: TopicName
    private var pace = Pace.following
    private var id: UInt64?

    private init(_ pipe: MessagePipe, _ hub: SubscriptionHub, _ name: TopicName) {
        self.pipe = pipe
        self.hub = hub
        self.name = name
    }

    func offer(_ frame: ByteBuffer) {
        guard pace == .following else { return }
        guard !pipe.isFull() else {
            pace = .fellBehind
            return pipe.clear()
        }
        pipe.offer(Array(buffer: ServerFrame.payload(of: frame)))
    }

    func offer(snapshot: ByteBuffer) {
        guard pace == .catchingUp else { return }
        pace = .following
        offer(snapshot)
    }

    func end(_ code: WebSocketErrorCode, _ reason: String) { pipe.end(reason) }

    /// The reader wants more than there is.
    private func goOn() {
        guard pace == .fellBehind, let id else { return }
        pace = .catchingUp
        hub.refresh(id, of: name)
    }

    private func leave() {
        if let id { hub.unsubscribe(id, from: name) }
        id = nil
    }

    /// The same, for callers on any thread.
    final class Remote: Sendable {
        private enum State {
            case waiting
            case subscribed(LocalSubscriber)
            case left
        }

        private let loop: any EventLoop
        /// Used on the loop alone.
        private let state: NIOLoopBoundBox<State>

        init(loop: any EventLoop) {
            self.loop = loop
            state = .makeBoxSendingValue(.waiting, eventLoop: loop)
        }

        func begin(_ pipe: MessagePipe, _ hub: SubscriptionHub, _ name: TopicName, since: UInt64?) {
            loop.execute { [self] in
                // The reader may have gone while the pivot was asked.
                guard case .waiting = state.value else { return }
                let subscriber = LocalSubscriber(pipe, hub, name)
                subscriber.id = hub.subscribe(subscriber, on: loop, to: name, since: since)
                state.value = .subscribed(subscriber)
            }
        }

        func goOn() {
            loop.execute { [self] in if case .subscribed(let subscriber) = state.value { subscriber.goOn() } }
        }

        func leave() {
            loop.execute { [self] in
                if case .subscribed(let subscriber) = state.value { subscriber.leave() }
                state.value = .left
            }
        }
    }
}
