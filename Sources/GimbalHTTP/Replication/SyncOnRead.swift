import GimbalStore
import GimbalWire
import NIOCore
import Synchronization

/// Makes a node's copy as fresh as its pivot before a read. A read is served by a question sent after it arrived; at most
/// one is in flight and one waiting, shared by all reads that wait, so an unchanged space costs one small round trip.
final class SyncOnRead: FreshnessSource {
    typealias Completion = @Sendable (Freshness) -> Void

    private struct State {
        var isAsking = false
        /// Served by the next question.
        var waiting: [Completion] = []
        /// While the pivot is known to be away, reads do not wait for it.
        var awayUntil: NIODeadline?
    }

    private let node: NodeSpace
    private let connection: PivotConnection
    private let state = Mutex(State())

    /// How long one question may take; a read's own deadline is shorter or longer at its reader's wish.
    private static let timeout = TimeAmount.seconds(2)
    /// After a question failed.
    private static let awayPause = TimeAmount.milliseconds(500)

    init(node: NodeSpace, connection: PivotConnection) {
        self.node = node
        self.connection = connection
    }

    func refresh(completion: @escaping Completion) {
        enum Next { case ask, wait, away }
        let next = state.withLock { state -> Next in
            if let until = state.awayUntil, NIODeadline.now() < until { return .away }
            state.waiting.append(completion)
            guard !state.isAsking else { return .wait }
            state.isAsking = true
            return .ask
        }
        switch next {
        case .wait: break
        case .away: completion(.local)
        case .ask: Task { await ask() }
        }
    }

    private func ask() async {
        while true {
            let served = state.withLock { state in
                let served = state.waiting
                state.waiting = []
                if served.isEmpty { state.isAsking = false }
                return served
            }
            guard !served.isEmpty else { return }
            await serve(served)
        }
    }

    private func serve(_ readers: [Completion]) async {
        do {
            let answer = try await connection.place(timeout: Self.timeout)
            guard answer.verdict == .current else { return readers.forEach { $0(.local) } }
            state.withLock { $0.awayUntil = nil }
            // A pivot that does not serve this node's log brings nothing, however long a reader waits.
            guard node.fault == nil else { return readers.forEach { $0(.local) } }
            node.whenReached(answer.place) { readers.forEach { $0(.pivot) } }
        } catch {
            state.withLock { $0.awayUntil = .now() + Self.awayPause }
            readers.forEach { $0(.local) }
        }
    }
}
