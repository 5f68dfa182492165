import NIOCore

/// Since when a connection waits for its client. It is looked at now and then, so that a request costs no timer. Both handlers
/// that answer tell it what they do; used on the connection's event loop alone.
final class ConnectionWatch {
    let timeouts: ConnectionTimeouts
    /// When what is waited for now began: the opening, a request, the last part of a body, an answer.
    var mark = NIODeadline.now()
    /// Whether the read that is under way brought a part of a request.
    var hasReadPart = false
    /// Whether an answer is being made before the codec.
    var isAnswering = false
    private var hasHadRequest = false
    /// Bytes came that are no whole head yet.
    private var isInHead = false
    private var unwritten = 0
    private var unwrittenSince: NIODeadline?
    private var task: RepeatedTask?

    init(_ timeouts: ConnectionTimeouts) { self.timeouts = timeouts }

    func start(on loop: any EventLoop, _ look: @escaping () -> Void) {
        let bound = NIOLoopBound(look, eventLoop: loop)
        task = loop.scheduleRepeatedTask(initialDelay: timeouts.interval, delay: timeouts.interval) { _ in bound.value() }
    }

    func stop() {
        task?.cancel()
        task = nil
    }

    func begin(_ now: NIODeadline) {
        mark = now
        hasReadPart = true
        hasHadRequest = true
        isInHead = false
    }

    func readComplete(isIdle: Bool) {
        if isIdle, !hasReadPart, !isInHead {
            isInHead = true
            mark = .now()
        }
        hasReadPart = false
    }

    /// What an idle connection waits for.
    var idle: (reason: String, limit: TimeAmount) {
        if isInHead { return ("head", timeouts.head) }
        return hasHadRequest ? ("next-request", timeouts.idle) : ("first-request", timeouts.silent)
    }

    func isOver(_ limit: TimeAmount, _ now: NIODeadline) -> Bool { now - mark > limit }

    /// Whether a client has taken nothing of what is written for too long.
    ///
    /// - Parameter bytes: what is still to be written.
    func isStuck(unwritten bytes: Int, _ now: NIODeadline) -> Bool {
        guard bytes > 0 else {
            unwrittenSince = nil
            return false
        }
        guard let since = unwrittenSince, bytes == unwritten else {
            (unwritten, unwrittenSince) = (bytes, now)
            return false
        }
        return now - since > timeouts.write
    }
}
