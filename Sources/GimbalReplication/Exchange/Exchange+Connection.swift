import GimbalCRDT
import GimbalWire

/// The way down: certificate, join, then the log as it grows; a snapshot where the log does not go back far enough.
extension Exchange {
    struct Connection: Sendable {
        var phase = Phase.waiting
        /// When it begins again; nil while it is under way.
        var resumeAt: UInt64?
        /// Own deltas are pulled with their bodies.
        var withOwnBodies = false
        /// Whether `standing.fault` came of a stream's pages.
        var isFaultOfPages = false
        var backoff = Backoff(Pauses.following)
        var lastTrigger: UInt64?
        /// Whether the stream brings what the pivot has had at a place is looked at then.
        var check: (place: Cursor, at: UInt64)?
    }

    enum Phase: Sendable {
        case waiting
        case certifying(RequestID)
        case joining(RequestID)
        /// The log is asked for; the pivot admitted the node at a place.
        case opening(RequestID, joinedAt: Cursor)
        case streaming(RequestID)
        case takingSnapshot(RequestID)

        var request: RequestID? {
            switch self {
            case .waiting: nil
            case .certifying(let id), .joining(let id), .opening(let id, _), .streaming(let id), .takingSnapshot(let id): id
            }
        }
    }

    mutating func connect(_ turn: inout Turn) {
        if turn.node.isStorageFailing {
            connection.resumeAt = turn.now + Pauses.storage.milliseconds
            return
        }
        connection.resumeAt = nil
        connection.phase = .certifying(send(.certificate, &turn))
    }

    /// - Parameter wasOpen: whether it got as far as a stream.
    private mutating func pause(
        wasOpen: Bool, retryAfter: Duration? = nil, _ turn: inout Turn, using random: inout some RandomNumberGenerator
    ) {
        connection.phase = .waiting
        connection.check = nil
        standing.isFollowing = false
        // A stream whose pages are refused was no success, however well it opens.
        if wasOpen, !connection.isFaultOfPages, !turn.node.isRefusingPages { connection.backoff = Backoff(Pauses.following) }
        let pause = max(connection.backoff.next(using: &random), retryAfter ?? .zero)
        connection.resumeAt = turn.now + pause.milliseconds
    }

    mutating func connectionAnswered(
        _ reply: Reply, _ turn: inout Turn, using random: inout some RandomNumberGenerator
    ) {
        switch (connection.phase, reply) {
        case (.certifying, .certified):
            connection.phase = .joining(send(.join, &turn))
        case (.joining, .answer(let answer)) where answer.verdict == .accepted:
            if !answer.detail.isEmpty { turn.directives.append(.note(answer.detail)) }
            turn.directives.append(.feed(.joined(place: answer.place)))
            openLog(joinedAt: answer.place, &turn)
        case (.opening(let id, let place), .stream):
            connection.phase = .streaming(id)
            if !connection.isFaultOfPages { standing.fault = nil }
            mend(at: place, turn)
            standing.isFollowing = true
            question.watchAt = turn.now
        case (.opening, .answer(let answer)) where answer.verdict == .gone:
            connection.phase = .takingSnapshot(send(.snapshot, &turn))
        case (.takingSnapshot, .installed): pause(wasOpen: true, &turn, using: &random)
        case (.takingSnapshot, .anotherSnapshot): pause(wasOpen: false, &turn, using: &random)
        case (_, .answer(let answer)):
            show(answer.verdict == .refill ? .pivotLost(detail: answer.detail) : .refused(answer.verdict, detail: answer.detail))
            pause(wasOpen: false, &turn, using: &random)
        default:
            pause(wasOpen: false, &turn, using: &random)
        }
    }

    private mutating func openLog(joinedAt place: Cursor, _ turn: inout Turn) {
        let own = connection.withOwnBodies ? nil : turn.node.incarnation
        connection.phase = .opening(send(.log(turn.node.cursor, ownIncarnation: own), &turn), joinedAt: place)
    }

    mutating func connectionFailed(
        _ failure: Failure, _ turn: inout Turn, using random: inout some RandomNumberGenerator
    ) {
        let wasOpen = if case .streaming = connection.phase { true } else { false }
        var retryAfter: Duration?
        if case .refused(let refusal) = failure { retryAfter = refusal.retryAfter }
        if let fault = NodeFault(failure) { show(fault, ofPages: wasOpen) }
        pause(wasOpen: wasOpen, retryAfter: retryAfter, &turn, using: &random)
    }

    mutating func ended(_ id: RequestID, _ turn: inout Turn, using random: inout some RandomNumberGenerator) {
        guard case .streaming(id) = connection.phase else { return }
        pause(wasOpen: true, &turn, using: &random)
    }

    mutating func take(_ page: NodePage, of id: RequestID, _ turn: inout Turn) {
        guard case .streaming(id) = connection.phase else { return }
        show(nil)
        turn.directives.append(.apply(page, of: id))
    }

    /// The core wants another stream.
    mutating func followAnew(
        withOwnBodies: Bool, _ turn: inout Turn, using random: inout some RandomNumberGenerator
    ) {
        connection.withOwnBodies = withOwnBodies
        guard let request = connection.phase.request else { return }
        turn.directives.append(.abandon(request))
        pause(wasOpen: true, &turn, using: &random)
    }

    // MARK: What an operator is shown

    mutating func show(_ fault: NodeFault?, ofPages: Bool = false) {
        connection.isFaultOfPages = ofPages && fault != nil
        standing.fault = fault
    }

    /// The pivot says where its log ends: where everything is here, nothing of the stream is damaged.
    mutating func mend(at place: Cursor, _ turn: Turn) {
        if connection.isFaultOfPages, turn.node.cursor.reaches(place) { show(nil) }
    }

    // MARK: Triggers

    /// Anybody may send one, so it only makes this node ask, at most once a second.
    mutating func trigger(_ turn: inout Turn) {
        if let last = connection.lastTrigger, turn.now < last + Pauses.trigger.milliseconds { return }
        connection.lastTrigger = turn.now
        if standing.isFollowing {
            question.isCheckingStream = true
        } else if connection.resumeAt != nil {
            connection.resumeAt = turn.now
        }
    }

    /// A stream whose pivot is gone looks open from here until its next sign of life is overdue.
    mutating func checkStream(_ turn: inout Turn) {
        guard let check = connection.check, check.at <= turn.now else { return }
        connection.check = nil
        guard standing.isFollowing, let request = connection.phase.request, turn.node.cursor.position < check.place.position
        else { return }
        turn.directives.append(.abandon(request))
        connection.phase = .waiting
        standing.isFollowing = false
        connection.backoff = Backoff(Pauses.following)
        connection.resumeAt = turn.now
    }
}

extension Exchange.NodeView {
    /// Whether what the pivot sends contradicts what the node holds.
    var isRefusingPages: Bool { if case .badPage = fault { true } else { false } }
}

extension Cursor {
    /// Whether everything that the pivot had at `place` is in a base here. Epochs of one number are one only if their dice agree:
    /// a pivot that was restored from a backup opens others.
    public func reaches(_ place: Cursor) -> Bool { epoch == place.epoch && position >= place.position }
}

extension NodeFault {
    /// What a person has to know of a failure; nil for a pivot that is merely away: that mends itself.
    init?(_ failure: Exchange.Failure) {
        switch failure {
        case .unanswered: return nil
        case .fault(let fault): self = fault
        case .refused(let refusal): self.init(refusal)
        }
    }

    /// The same for an answer that no pivot signed.
    public init?(_ refusal: Exchange.Refusal) {
        let isOfStorage = refusal.code.hasPrefix("storage-") || refusal.code.hasPrefix("store-")
        switch refusal.status {
        case _ where refusal.code.isEmpty: self = .local(code: "way-refused", detail: refusal.sentence)
        case 400..<500: self = .refused(.wrongSpace, detail: refusal.sentence)
        case 500... where isOfStorage:
            self = .local(code: "pivot-storage", detail: "the pivot's storage does not work: \(refusal.sentence)")
        default: return nil
        }
    }
}
