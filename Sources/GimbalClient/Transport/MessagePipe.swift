import NIOCore
import Synchronization

/// Hands messages from their source to one reader. It is bounded: a source that asks `isFull` before it takes more in holds
/// what one read of a socket brings above the limit, and not more.
package final class MessagePipe: Sendable {
    package enum Delivery: Sendable {
        case message([UInt8])
        /// The source ended, with its reason for people.
        case ended(String)
        case cancelled
    }

    private struct State {
        var queue = CircularBuffer<[UInt8]>()
        var bytes = 0
        var end: Delivery?
        var reader: CheckedContinuation<Delivery, Never>?
        /// Somebody was told that the pipe is full.
        var isHeld = false

        var isFull: Bool { queue.count >= MessagePipe.countLimit || bytes >= MessagePipe.byteLimit }

        mutating func pop() -> Delivery? {
            guard let message = queue.popFirst() else { return end }
            bytes -= message.count
            return .message(message)
        }
    }

    private static let countLimit = 64
    private static let byteLimit = 1 << 20

    private let state = Mutex(State())
    private let onDemand: @Sendable () -> Void
    private let onCancel: @Sendable () -> Void

    /// - Parameters:
    ///   - onDemand: called when a pipe that was full has run empty.
    ///   - onCancel: called when nobody will read any more.
    package init(onDemand: @escaping @Sendable () -> Void, onCancel: @escaping @Sendable () -> Void) {
        self.onDemand = onDemand
        self.onCancel = onCancel
    }

    // MARK: The source's side

    /// Whether the source should wait; if so, it is told when to go on.
    package func isFull() -> Bool {
        state.withLock { state in
            if state.isFull { state.isHeld = true }
            return state.isFull
        }
    }

    package func offer(_ message: [UInt8]) {
        let reader = state.withLock { state -> CheckedContinuation<Delivery, Never>? in
            guard state.end == nil else { return nil }
            if let reader = state.reader.take() { return reader }
            state.queue.append(message)
            state.bytes += message.count
            return nil
        }
        reader?.resume(returning: .message(message))
    }

    /// What was offered is still delivered.
    package func end(_ reason: String) {
        let reader = state.withLock { state in
            if state.end == nil { state.end = .ended(reason) }
            return state.reader.take()
        }
        reader?.resume(returning: .ended(reason))
    }

    /// Drops what waits: the source makes it up otherwise.
    package func clear() {
        state.withLock { state in
            state.queue.removeAll()
            state.bytes = 0
        }
    }

    // MARK: The reader's side

    /// Resumes the reader with the next delivery, now or later.
    func take(_ reader: CheckedContinuation<Delivery, Never>) {
        let (delivery, isWanting) = state.withLock { state -> (Delivery?, Bool) in
            let delivery = state.pop()
            if delivery == nil { state.reader = reader }
            let isWanting = state.isHeld && state.queue.isEmpty
            if isWanting { state.isHeld = false }
            return (delivery, isWanting)
        }
        if isWanting { onDemand() }
        if let delivery { reader.resume(returning: delivery) }
    }

    func cancel() {
        let reader = state.withLock { state in
            state.queue.removeAll()
            state.bytes = 0
            state.end = .cancelled
            return state.reader.take()
        }
        reader?.resume(returning: .cancelled)
        onCancel()
    }
}
