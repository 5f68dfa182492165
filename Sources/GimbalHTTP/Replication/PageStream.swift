import GimbalCRDT
import GimbalStore
import GimbalWire
import NIOCore
import ServiceLifecycle

/// The log as one node pulls it: pages after a position, and, while it follows, each further commit as it happens.
struct PageStream: Sendable {
    let pivot: PivotSpace
    let receiptsFor: ReplicaID?
    let isFollowing: Bool
    /// Where it is sent.
    let channel: any Channel

    /// How often a quiet stream shows that it lives.
    private static let heartbeat = Duration.seconds(10)

    /// Calls `send` with frames until the log's end, or, following, until it throws or the task is cancelled.
    func run(after start: UInt64, send: (_ frame: [UInt8], _ position: UInt64) async throws -> Void) async throws {
        let (advances, sink) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let stopListening = pivot.onAdvance { _ in sink.yield() }
        let heartbeats = Task {
            while !Task.isCancelled {
                try await Task.sleep(for: Self.heartbeat)
                sink.yield()
            }
        }
        // A node that went away is known to be gone at once.
        let stopWatching = DepartureWatch.begin(channel) { sink.finish() }
        defer {
            stopWatching()
            stopListening()
            heartbeats.cancel()
        }
        try await withGracefulShutdownHandler {
            try await self.send(after: start, whenever: advances, send)
        } onGracefulShutdown: {
            // A stream that follows would keep a stopping server waiting for ever.
            sink.finish()
        }
    }

    private func send(
        after start: UInt64, whenever advances: AsyncStream<Void>,
        _ send: (_ frame: [UInt8], _ position: UInt64) async throws -> Void
    ) async throws {
        var position = start
        // The first frame tells the node at once that its stream is open.
        try await send(ReplicationPath.frame([]), position)
        var iterator = advances.makeAsyncIterator()
        var isQuiet = false
        while true {
            while let page = try pivot.page(after: position, receiptsFor: receiptsFor) {
                position = page.end
                isQuiet = false
                try await send(ReplicationPath.frame(page.bytes), position)
            }
            // The horizon has overtaken it: the node asks again, and is sent a snapshot.
            guard isFollowing, !pivot.isGone(position) else { return }
            if isQuiet { try await send(ReplicationPath.frame([]), position) }
            isQuiet = true
            guard await iterator.next() != nil else { return }
        }
    }
}
