import GimbalCRDT
import GimbalWire

/// A node's side of the conversation with its pivot, as a value: when it joins, follows, takes a snapshot, pushes, asks and
/// waits.
///
/// **Overview.** `NodeCore` decides what becomes of data. The exchange decides what is said to the pivot, and when: it opens the
/// log's stream and opens it again, passes pushes on and repeats them, shares one question among all reads that wait, and keeps
/// what an operator is shown of the connection.
///
/// **Function.** Inputs are what the pivot answered, what the core directs, reads, triggers and the alarm. Directives are
/// requests to send, inputs to feed to the core, reads to answer, and when to be woken. An executor carries them out in
/// their order and decides nothing: `ReplicationClient` does it over HTTP.
///
/// **Implementation.** Nothing of it is durable: after a start it begins anew. It knows no clock and no dice. Each request has a
/// number, so that an answer to one that was given up is told from an answer to its successor. All waits are in `Pauses`.
public struct Exchange: Sendable {
    /// Rising; never used twice.
    public typealias RequestID = UInt64
    /// Names one read that waits.
    public typealias ReadID = UInt64

    /// What a node says to its pivot.
    public enum Request: Hashable, Sendable {
        /// The root key's word for the pivot's key.
        case certificate
        case join
        /// Where the log ends.
        case place
        /// What the core directed to be sent under this number.
        case push(number: UInt64)
        /// The log from a cursor on, as it grows. Deltas of the node's own incarnation come as receipts, unless that is nil.
        case log(Cursor, ownIncarnation: UInt64?)
        /// The space as it is, or the rest of what is staged of it.
        case snapshot
    }

    /// What came back, verified.
    public enum Reply: Sendable {
        /// The certificate holds, and is kept by who verified it.
        case certified
        case answer(Answer)
        /// The stream is open. Its pages follow.
        case stream
        /// The snapshot is installed.
        case installed
        /// The pivot has another snapshot by now: what was staged is discarded.
        case anotherSnapshot
    }

    /// An answer that no pivot signed: of its server, or of something on the way.
    public struct Refusal: Hashable, Sendable {
        public var status: Int
        /// The stable code of a Gimbal server; empty where something on the way said it.
        public var code: String
        /// What came back, for people; the same for the same answer.
        public var sentence: String
        /// How long the sender shall wait, bounded.
        public var retryAfter: Duration?

        public init(status: Int, code: String, sentence: String, retryAfter: Duration?) {
            self.status = status
            self.code = code
            self.sentence = sentence
            self.retryAfter = retryAfter
        }
    }

    /// Why a request has no reply.
    public enum Failure: Sendable {
        case unanswered
        case refused(Refusal)
        /// What came proves nothing, or is of another space.
        case fault(NodeFault)
    }

    public enum Input: Sendable {
        /// The executor is ready.
        case started
        case replied(RequestID, Reply)
        case failed(RequestID, Failure)
        /// Of the stream that a request opened.
        case page(RequestID, NodePage)
        /// The stream came to its end.
        case ended(RequestID)
        /// The core directs to push so many deltas; a push before it is forgotten.
        case push(number: UInt64, deltas: Int)
        /// The core wants another stream, with the bodies of own deltas where they are in doubt.
        case follow(withOwnBodies: Bool)
        /// The core wants to know where the log ends.
        case investigate
        /// The core holds something against the pivot, or the pivot against what was pushed.
        case raised(NodeFault)
        case cleared
        /// Somebody says that the pivot has something new.
        case triggered
        case read(ReadID)
        /// The time of `Directive.wake` has come.
        case alarm
    }

    public enum Directive: Sendable {
        case send(Request, RequestID)
        /// Nothing of it is wanted any more.
        case abandon(RequestID)
        case feed(NodeInput)
        /// Feed a page of the stream that this request opened.
        case apply(NodePage, of: RequestID)
        /// These reads are answered from the own copy, now.
        case answerFromCopy([ReadID])
        /// These reads are answered when the base has reached the place.
        case answer([ReadID], at: Cursor)
        /// Come back with `.alarm` at this steady time in milliseconds. Replaces what was said before.
        case wake(at: UInt64)
        /// What an operator is shown has changed.
        case show(ConnectionStanding)
        /// The pivot admitted this node with a reservation.
        case note(String)
    }

    /// What the exchange sees of the node.
    public struct NodeView: Sendable {
        public var cursor: Cursor
        public var incarnation: UInt64
        /// What the core holds against the pivot.
        public var fault: NodeFault?
        /// Whether what the pivot says could not be kept now.
        public var isStorageFailing: Bool

        public init(cursor: Cursor, incarnation: UInt64, fault: NodeFault?, isStorageFailing: Bool = false) {
            self.cursor = cursor
            self.incarnation = incarnation
            self.fault = fault
            self.isStorageFailing = isStorageFailing
        }
    }

    public internal(set) var standing = ConnectionStanding()
    var connection = Connection()
    var pushing = Pushing()
    var question = Question()
    private var nextRequest: RequestID = 1
    /// The alarm that was asked for last.
    private var alarm: UInt64?

    public init() {}

    public mutating func step(
        _ input: Input, of node: NodeView, now: Now, using random: inout some RandomNumberGenerator
    ) -> [Directive] {
        var turn = Turn(node: node, now: now.steadyMilliseconds)
        let shown = standing
        switch input {
        case .started: connection.resumeAt = turn.now
        case .replied(let id, let reply): replied(id, reply, &turn, using: &random)
        case .failed(let id, let failure): failed(id, failure, &turn, using: &random)
        case .page(let id, let page): take(page, of: id, &turn)
        case .ended(let id): ended(id, &turn, using: &random)
        case .push(let number, let deltas): push(number, deltas, &turn)
        case .follow(let withOwnBodies): followAnew(withOwnBodies: withOwnBodies, &turn, using: &random)
        case .investigate: question.isInvestigating = true
        case .raised: pushing.retry(after: pushing.unwanted.next(using: &random), turn.now)
        case .cleared: pushing.unwanted = Backoff(Pauses.unwanted)
        case .triggered: trigger(&turn)
        case .read(let id): read(id, &turn)
        case .alarm: alarm = nil
        }
        doWhatIsDue(&turn)
        if standing != shown { turn.directives.append(.show(standing)) }
        setAlarm(&turn)
        return turn.directives
    }

    /// One step's view of the world, and what it leads to.
    struct Turn {
        let node: NodeView
        let now: UInt64
        var directives: [Directive] = []
    }

    mutating func send(_ request: Request, _ turn: inout Turn) -> RequestID {
        defer { nextRequest += 1 }
        turn.directives.append(.send(request, nextRequest))
        return nextRequest
    }

    private mutating func replied(
        _ id: RequestID, _ reply: Reply, _ turn: inout Turn, using random: inout some RandomNumberGenerator
    ) {
        if id == pushing.request {
            pushAnswered(reply, &turn)
        } else if id == question.request {
            placeAnswered(reply, &turn, using: &random)
        } else if id == connection.phase.request {
            connectionAnswered(reply, &turn, using: &random)
        }
    }

    private mutating func failed(
        _ id: RequestID, _ failure: Failure, _ turn: inout Turn, using random: inout some RandomNumberGenerator
    ) {
        if id == pushing.request {
            pushFailed(failure, &turn, using: &random)
        } else if id == question.request {
            placeFailed(failure, &turn, using: &random)
        } else if id == connection.phase.request {
            connectionFailed(failure, &turn, using: &random)
        }
    }

    // MARK: Time

    private mutating func doWhatIsDue(_ turn: inout Turn) {
        if let due = pushing.retryAt, due <= turn.now {
            pushing.retryAt = nil
            turn.directives.append(.feed(.retryPush))
        }
        checkStream(&turn)
        if let due = connection.resumeAt, due <= turn.now { connect(&turn) }
        askWhatIsWanted(&turn)
    }

    private mutating func setAlarm(_ turn: inout Turn) {
        let due = [pushing.retryAt, connection.resumeAt, connection.check?.at, question.investigateAt, watchAt].compactMap { $0 }
        guard let next = due.min(), next != alarm else { return }
        alarm = next
        turn.directives.append(.wake(at: next))
    }

    /// When the pivot is asked again where it is, for people to see.
    var watchAt: UInt64? { standing.isFollowing && question.request == nil ? question.watchAt : nil }
}

/// How a node's connection to its pivot stands.
public struct ConnectionStanding: Hashable, Sendable {
    /// Whether the log's stream is open.
    public var isFollowing = false
    /// Why the pivot does not serve this node; nil also while it is merely away.
    public var fault: NodeFault?
    /// Why pushes do not arrive.
    public var pushFault: NodeFault?

    public init(fault: NodeFault? = nil) { self.fault = fault }
}
