import CLinux
import Glibc

/// Many WebSocket subscriptions in one thread: counts whole frames as they come, whatever is in them.
final class SubscriberPool {
    private final class Subscriber {
        let socket: LoopbackSocket
        /// Bytes of a head that is not whole yet.
        var head: [UInt8] = []
        /// Bytes of the frame's payload that still have to come.
        var missing = 0
        var frames = 0

        init(socket: LoopbackSocket) { self.socket = socket }
    }

    private let subscribers: [Subscriber]
    private let poller: Int32
    private var buffer = [UInt8](repeating: 0, count: 1 << 20)
    private(set) var frames = 0
    /// Subscribers that had a message.
    private var begun = 0

    /// Subscribes, and waits for everybody's first message.
    init(port: UInt16, path: String, count: Int) throws {
        poller = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard poller >= 0 else { throw BenchmarkFailure.systemCall("epoll_create1", errorNumber: errno) }
        subscribers = try (0..<count).map { _ in Subscriber(socket: try Self.subscribe(port, path)) }
        for (index, subscriber) in subscribers.enumerated() {
            var event = epoll_event(events: EPOLLIN.rawValue, data: epoll_data_t(u32: UInt32(index)))
            guard epoll_ctl(poller, EPOLL_CTL_ADD, subscriber.socket.descriptor, &event) == 0 else {
                throw BenchmarkFailure.systemCall("epoll_ctl", errorNumber: errno)
            }
        }
        try receive(until: { $0.begun == count }, "the first messages")
    }

    deinit { close(poller) }

    private static func subscribe(_ port: UInt16, _ path: String) throws -> LoopbackSocket {
        let socket = try LoopbackSocket.connected(to: port)
        socket.setReceiveTimeout(seconds: 30)
        let request = """
            GET \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n
            """
        try Array(request.utf8).withUnsafeBytes { try socket.send($0) }
        // Byte by byte, so that nothing of the first frame is taken.
        var head: [UInt8] = []
        var byte: [UInt8] = [0]
        while !head.suffix(4).elementsEqual("\r\n\r\n".utf8) {
            let count = try byte.withUnsafeMutableBytes { try socket.receive(into: $0, waiting: true) }
            guard count == 1, head.count < 4096 else { throw BenchmarkFailure("no answer to a subscription") }
            head += byte
        }
        guard head.starts(with: "HTTP/1.1 101".utf8) else {
            throw BenchmarkFailure("a subscription was refused: \(String(decoding: head, as: UTF8.self))")
        }
        return socket
    }

    /// Receives until the condition holds. `onFrame` is called for each frame that is whole.
    func receive(
        until isDone: (SubscriberPool) -> Bool, _ what: String, timeoutSeconds: Double = 60, onFrame: (Int) -> Void = { _ in }
    ) throws {
        let start = steadyNanoseconds()
        var events = [epoll_event](repeating: epoll_event(), count: 512)
        while !isDone(self) {
            try Interruption.check()
            guard secondsSince(start) < timeoutSeconds else { throw BenchmarkFailure("waited in vain for \(what)") }
            let ready = epoll_wait(poller, &events, Int32(events.count), 20)
            for event in events.prefix(Int(max(ready, 0))) {
                try read(subscribers[Int(event.data.u32)]) { onFrame(Int(event.data.u32)) }
            }
        }
    }

    private func read(_ subscriber: Subscriber, _ onFrame: () -> Void) throws {
        let count = try buffer.withUnsafeMutableBytes { try subscriber.socket.receive(into: $0, waiting: false) }
        guard let count else { return }
        guard count > 0 else { throw BenchmarkFailure("a subscription ended") }
        var offset = 0
        while offset < count {
            if subscriber.missing > 0 {
                let part = min(subscriber.missing, count - offset)
                subscriber.missing -= part
                offset += part
            } else {
                subscriber.head.append(buffer[offset])
                offset += 1
                guard let length = Self.payloadLength(subscriber.head) else { continue }
                subscriber.head.removeAll(keepingCapacity: true)
                subscriber.missing = length
            }
            if subscriber.head.isEmpty, subscriber.missing == 0 {
                if subscriber.frames == 0 { begun += 1 }
                subscriber.frames += 1
                frames += 1
                onFrame()
            }
        }
    }

    /// Nil while the head of a frame (RFC 6455 §5.2, unmasked) is not whole.
    private static func payloadLength(_ head: [UInt8]) -> Int? {
        guard head.count >= 2 else { return nil }
        let extra = head[1] == 126 ? 2 : head[1] == 127 ? 8 : 0
        guard head.count == 2 + extra else { return nil }
        return extra == 0 ? Int(head[1]) : head[2...].reduce(0) { $0 << 8 | Int($1) }
    }
}
