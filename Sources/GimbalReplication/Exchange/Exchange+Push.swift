import GimbalCRDT
import GimbalWire

/// The way up: the core says what is pushed; when what did not arrive is tried again is said here.
extension Exchange {
    struct Pushing: Sendable {
        var request: RequestID?
        /// Of the push in flight, as the core counts.
        private(set) var number: UInt64 = 0
        /// Deltas in it.
        private(set) var count = 0
        var retryAt: UInt64?
        var unanswered = Backoff(Pauses.pushing)
        var refused = Backoff(Pauses.refused)
        var unwanted = Backoff(Pauses.unwanted)

        mutating func begin(_ number: UInt64, count: Int) {
            self.number = number
            self.count = count
        }

        /// There is one retry at most: the latest reason counts.
        mutating func retry(after pause: Duration, _ now: UInt64) { retryAt = now + pause.milliseconds }
    }

    /// The core has one push in flight; a later one takes its place.
    mutating func push(_ number: UInt64, _ deltas: Int, _ turn: inout Turn) {
        if let earlier = pushing.request { turn.directives.append(.abandon(earlier)) }
        pushing.begin(number, count: deltas)
        pushing.request = send(.push(number: number), &turn)
    }

    mutating func pushAnswered(_ reply: Reply, _ turn: inout Turn) {
        guard case .answer(let answer) = reply else { return }
        pushing.request = nil
        pushing.unanswered = Backoff(Pauses.pushing)
        pushing.refused = Backoff(Pauses.refused)
        standing.pushFault = nil
        turn.directives.append(.feed(.pushAnswered(answer, push: pushing.number)))
    }

    mutating func pushFailed(_ failure: Failure, _ turn: inout Turn, using random: inout some RandomNumberGenerator) {
        pushing.request = nil
        switch failure {
        case .refused(let refusal):
            let isTooLarge = refusal.status == 413
            // The core sends smaller ones at once, and nobody has to know.
            let goesInParts = isTooLarge && pushing.count > 1
            turn.directives.append(.feed(.pushFailed(push: pushing.number, isTooLarge: isTooLarge)))
            guard !goesInParts else { return }
            standing.pushFault = .local(code: "push-refused", detail: refusal.sentence)
            pushing.retry(after: max(pushing.refused.next(using: &random), refusal.retryAfter ?? .zero), turn.now)
        case .fault(let fault):
            standing.pushFault = fault
            fallthrough
        case .unanswered:
            turn.directives.append(.feed(.pushFailed(push: pushing.number, isTooLarge: false)))
            pushing.retry(after: pushing.unanswered.next(using: &random), turn.now)
        }
    }
}
