import GimbalClient
import GimbalReplication
import GimbalStore
import GimbalWire
import Logging
import Synchronization

/// Sends what the node's core says is to be sent, and decides when what did not arrive is tried again.
final class PushSender: Sendable {
    private let node: NodeSpace
    private let connection: PivotConnection
    private let logger: Logger
    private let meter: PushMeter
    private let state = Mutex(State())

    private struct State {
        var unanswered = Backoff(Pauses.pushing)
        var refused = Backoff(Pauses.refused)
        var unwanted = Backoff(Pauses.unwanted)
        /// What waits to send again; there is one at most.
        var retry: Task<Void, Never>?
    }

    init(_ node: NodeSpace, _ connection: PivotConnection, _ logger: Logger) {
        self.node = node
        self.connection = connection
        self.logger = logger
        meter = PushMeter(node.space)
    }

    func send(_ request: PushRequest, _ number: UInt64) async {
        do {
            let answer = try await connection.push(request)
            meter.answered(answer.verdict)
            state.withLock { ($0.unanswered, $0.refused) = (Backoff(Pauses.pushing), Backoff(Pauses.refused)) }
            show(nil)
            node.deliver(.pushAnswered(answer, push: number))
        } catch PivotError.status(let refusal) {
            meter.refused(status: refusal.status)
            logger.debug("push refused", metadata: ["status": "\(refusal.status)", "deltas": "\(request.deltas.count)"])
            let isTooLarge = refusal.status == 413
            // The core sends smaller ones at once, and nobody has to know.
            let goesInParts = isTooLarge && request.deltas.count > 1
            if !goesInParts { show(.local(code: "push-refused", detail: refusal.sentence)) }
            node.deliver(.pushFailed(push: number, isTooLarge: isTooLarge))
            guard !goesInParts else { return }
            let pause = state.withLock { $0.refused.next() }
            retry(after: max(pause, refusal.retryAfter ?? .zero))
        } catch {
            meter.unanswered()
            logger.debug("push failed", metadata: ["error": "\(error)"])
            if case .untrusted? = error as? PivotError { show(NodeFault(error)) }
            node.deliver(.pushFailed(push: number))
            retry(after: state.withLock { $0.unanswered.next() })
        }
    }

    /// The pivot does not want what was pushed: that is tried again now and then.
    func unwanted() { retry(after: state.withLock { $0.unwanted.next() }) }

    func wanted() { state.withLock { $0.unwanted = Backoff(Pauses.unwanted) } }

    private func retry(after pause: Duration) {
        let node = node
        let task = Task {
            guard (try? await Task.sleep(for: pause)) != nil else { return }
            node.deliver(.retryPush)
        }
        state.withLock { state in
            state.retry?.cancel()
            state.retry = task
        }
    }

    /// What an operator has to see, once for each change.
    private func show(_ fault: NodeFault?) {
        guard node.show(pushFault: fault) else { return }
        if let fault {
            logger.error(
                "what is written here does not reach the pivot",
                metadata: ["code": "\(fault.code)", "detail": "\(fault.detail)", "outbox": "\(node.outboxCount)"])
        } else {
            logger.notice("what is written here reaches the pivot again")
        }
    }
}
