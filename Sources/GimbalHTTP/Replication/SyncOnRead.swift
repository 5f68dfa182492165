import GimbalClient
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
        /// When the question in flight was sent.
        var askedAt = NIODeadline.uptimeNanoseconds(0)
        /// Served by the next question.
        var waiting: [Completion] = []
        /// While the pivot is known to be away, reads do not wait for it.
        var awayUntil: NIODeadline?
        /// Whether a stream was open when it was found to be away: one that opened since says more.
        var wasFollowing = false
        var away = Backoff(Pauses.away)
    }

    private let node: NodeSpace
    private let connection: PivotConnection
    private let state = Mutex(State())

    init(node: NodeSpace, connection: PivotConnection) {
        self.node = node
        self.connection = connection
    }

    func refresh(completion: @escaping Completion) {
        enum Next { case ask, wait, away }
        let next = state.withLock { state -> Next in
            if state.awayUntil != nil || state.isAsking, isAway(state) { return .away }
            state.waiting.append(completion)
            guard !state.isAsking else { return .wait }
            state.isAsking = true
            state.askedAt = .now()
            return .ask
        }
        switch next {
        case .wait: break
        case .away: completion(.local)
        case .ask: Task { await ask() }
        }
    }

    /// A pivot that refuses connections is away at once. One behind a link that swallows everything is only slow until its question
    /// is old; a stream that is open says that it is not away.
    private func isAway(_ state: State) -> Bool {
        let now = NIODeadline.now()
        if let until = state.awayUntil, now < until { return state.wasFollowing || !node.isFollowing }
        return state.isAsking && now - state.askedAt > Pauses.questionPatience && !node.isFollowing
    }

    private func ask() async {
        while true {
            let served = state.withLock { state in
                let served = state.waiting
                state.waiting = []
                if served.isEmpty { state.isAsking = false }
                state.askedAt = .now()
                return served
            }
            guard !served.isEmpty else { return }
            await serve(served)
        }
    }

    private func serve(_ readers: [Completion]) async {
        do {
            let answer = try await connection.place(timeout: node.isFollowing ? Pauses.place : Pauses.placeAnew)
            guard answer.verdict == .current else { return readers.forEach { $0(.local) } }
            state.withLock { ($0.awayUntil, $0.away) = (nil, Backoff(Pauses.away)) }
            // A pivot that does not serve this node's log brings nothing, however long a reader waits.
            guard node.fetchFault == nil else { return readers.forEach { $0(.local) } }
            node.whenReached(answer.place) { readers.forEach { $0(.pivot) } }
        } catch {
            let isFollowing = node.isFollowing
            state.withLock { state in
                state.wasFollowing = isFollowing
                state.awayUntil = .now() + TimeAmount(isFollowing ? Pauses.away.firstDelay : state.away.next())
            }
            readers.forEach { $0(.local) }
        }
    }
}
