import GimbalCRDT
import GimbalWire

/// The one question, where the pivot's log ends, and everybody who waits for its answer: reads, an investigation, the look at a
/// stream after a trigger, and people who want to see how far the pivot is.
///
/// A read is served by a question that was sent after the read arrived. At most one question is in flight and one waits, so an
/// unchanged space costs one small round trip, however many read.
extension Exchange {
    struct Question: Sendable {
        var request: RequestID?
        var askedAt: UInt64 = 0
        /// Served by the question in flight.
        var asking: [ReadID] = []
        /// Served by the next one.
        var waiting: [ReadID] = []
        /// While the pivot is known to be away, reads do not wait for it.
        var awayUntil: UInt64?
        /// Whether a stream was open when it was found to be away: one that opened since says more.
        var wasFollowing = false
        var away = Backoff(Pauses.away)
        /// The core wants to know the log's end.
        var isInvestigating = false
        var investigateAt: UInt64?
        var investigation = Backoff(Pauses.asking)
        /// A trigger said that there is something.
        var isCheckingStream = false
        /// When people want to know next.
        var watchAt: UInt64?
    }

    mutating func read(_ id: ReadID, _ turn: inout Turn) {
        if isAway(turn) {
            turn.directives.append(.answerFromCopy([id]))
        } else {
            question.waiting.append(id)
        }
    }

    /// A pivot that refuses connections is away at once. One behind a link that swallows everything is only slow until its
    /// question is old; a stream that is open says that it is not away.
    private func isAway(_ turn: Turn) -> Bool {
        if let until = question.awayUntil, turn.now < until { return question.wasFollowing || !standing.isFollowing }
        guard question.request != nil, !standing.isFollowing else { return false }
        return turn.now - question.askedAt > Pauses.questionPatience.milliseconds
    }

    mutating func askWhatIsWanted(_ turn: inout Turn) {
        guard question.request == nil else { return }
        let isWatched = watchAt.map { $0 <= turn.now } ?? false
        let isInvestigated = question.isInvestigating && (question.investigateAt.map { $0 <= turn.now } ?? true)
        guard !question.waiting.isEmpty || isWatched || isInvestigated || question.isCheckingStream else { return }
        question.investigateAt = nil
        (question.asking, question.waiting) = (question.waiting, [])
        question.askedAt = turn.now
        question.request = send(.place, &turn)
    }

    mutating func placeAnswered(_ reply: Reply, _ turn: inout Turn, using random: inout some RandomNumberGenerator) {
        guard case .answer(let answer) = reply else { return }
        let readers = endQuestion(turn)
        question.awayUntil = nil
        question.away = Backoff(Pauses.away)
        guard answer.verdict == .current else {
            postponeInvestigation(turn, using: &random)
            if !readers.isEmpty { turn.directives.append(.answerFromCopy(readers)) }
            return
        }
        mend(at: answer.place, turn)
        if question.isInvestigating {
            question.isInvestigating = false
            question.investigation = Backoff(Pauses.asking)
            turn.directives.append(.feed(.investigate(until: answer.place)))
        }
        if question.isCheckingStream {
            question.isCheckingStream = false
            connection.check = (answer.place, turn.now + Pauses.streamCheck.milliseconds)
        }
        guard !readers.isEmpty else { return }
        // A pivot that does not serve this node's log brings nothing, however long a reader waits.
        let isServed = standing.fault == nil && turn.node.fault == nil
        turn.directives.append(isServed ? .answer(readers, at: answer.place) : .answerFromCopy(readers))
    }

    mutating func placeFailed(
        _ failure: Failure, _ turn: inout Turn, using random: inout some RandomNumberGenerator
    ) {
        // One that is merely away shows by its stream.
        if case .fault(let fault) = failure { show(fault, ofPages: true) }
        let readers = endQuestion(turn)
        question.wasFollowing = standing.isFollowing
        let pause = standing.isFollowing ? Pauses.away.first : question.away.next(using: &random)
        question.awayUntil = turn.now + pause.milliseconds
        question.isCheckingStream = false
        postponeInvestigation(turn, using: &random)
        if !readers.isEmpty { turn.directives.append(.answerFromCopy(readers)) }
    }

    private mutating func endQuestion(_ turn: Turn) -> [ReadID] {
        question.request = nil
        question.watchAt = turn.now + Pauses.watch.milliseconds
        defer { question.asking = [] }
        return question.asking
    }

    private mutating func postponeInvestigation(_ turn: Turn, using random: inout some RandomNumberGenerator) {
        guard question.isInvestigating else { return }
        question.investigateAt = turn.now + question.investigation.next(using: &random).milliseconds
    }
}
