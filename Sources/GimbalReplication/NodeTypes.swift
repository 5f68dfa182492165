import GimbalCRDT
import GimbalWire

/// What a node is asked to do, or told.
public enum NodeInput: Sendable {
    case write(WriteRequest)
    /// The pivot admitted this node; its log ends at `place`, and the node serves once it is there.
    case joined(place: Cursor)
    case page(NodePage)
    /// What `NodeDirective.seal` asked for.
    case seal
    /// The pivot's word on the push of this number.
    case pushAnswered(Answer, push: UInt64)
    /// No answer to the push of this number came. It is sent again byte for byte, when `retryPush` says so; in smaller parts and
    /// at once if it was too large for something on the way and has parts.
    case pushFailed(push: UInt64, isTooLarge: Bool = false)
    /// The shell could not do what it was told. Nothing is sent until `retryPush` or `joined`.
    case pushInterrupted
    /// Nor can it be done until somebody has seen to it; shown, and tried again when `retryPush` says so.
    case pushBlocked(NodeFault)
    case retryPush
    /// The log's end, asked after the doubt arose; own deltas are pulled with their bodies until there.
    case investigate(until: Cursor)
    /// What `NodeDirective.reissue` asked for.
    case reissue
    /// A snapshot that is staged takes the base's place.
    case snapshot(StagedSnapshot)
    /// Whatever is not sealed yet is sealed now, whether it can be sent or not. Where the node `isSpoiled` it is written again
    /// first.
    case sealOutbox

    /// Whether it concerns everything pending, and so is a step of its own: it has to see what all writes before it left on
    /// disk.
    public var isStepOfItsOwn: Bool {
        switch self {
        case .reissue, .snapshot, .sealOutbox: true
        case .write, .joined, .page, .seal, .pushAnswered, .pushFailed, .pushInterrupted, .pushBlocked, .retryPush, .investigate:
            false
        }
    }
}

/// A page of the log whose checkpoint and deltas are verified already.
public struct NodePage: Sendable {
    public struct Entry: Sendable {
        public enum Body: Sendable {
            case delta(IncomingDelta)
            case receipt(headerHash: Digest)
            case join
        }

        public var body: Body
        public var cap: HybridTimestamp
        public var refusals: [Refusal]
        public var leaf: Digest

        public init(body: Body, cap: HybridTimestamp, refusals: some Collection<Refusal>, leaf: Digest) {
            self.body = body
            self.cap = cap
            self.refusals = Array(refusals)
            self.leaf = leaf
        }
    }

    public var after: UInt64
    public var entries: [Entry]
    public var checkpoint: VerifiedCheckpoint

    public init(after: UInt64, entries: [Entry], checkpoint: VerifiedCheckpoint) {
        self.after = after
        self.entries = entries
        self.checkpoint = checkpoint
    }
}

/// What a node's step has to be followed by once its commit is durable.
public enum NodeDirective: Sendable {
    case answerWrite(token: UInt64, Result<Written, WriteFailure>)
    /// Clients see other values at these paths.
    case publish(paths: [Path])
    /// Clients may see other values at any path.
    case replaced
    /// The base has reached a place.
    case advanced(Cursor)
    /// Step with `.seal`: there are operations that are not sealed.
    case seal
    /// Send these stored deltas, named by first sequence, with the cursor, and come back with the number.
    case push(number: UInt64, Cursor, firstSequences: [UInt64])
    /// Begin following the log again from the cursor; with the bodies of own deltas where they are in doubt.
    case follow(withOwnBodies: Bool)
    /// Ask for the log's end, then step with `.investigate`.
    case investigate
    /// Step with `.reissue`.
    case reissue
    case fault(NodeFault)
    case faultCleared
}

/// What keeps a node from replicating. It serves its own copy and takes writes all the while.
public enum NodeFault: Hashable, Sendable {
    /// The pivot refuses to take from this node.
    case refused(Answer.Verdict, detail: String)
    /// The pivot lacks what it once acknowledged.
    case pivotLost(detail: String)
    /// What the pivot sent contradicts itself, or what this node holds.
    case badPage(detail: String)
    /// It is not the pivot's doing: this server's operator has to act.
    case local(code: String, detail: String)

    public var code: String {
        switch self {
        case .refused(let verdict, _): verdict.rawValue
        case .pivotLost: "pivot-lost"
        case .badPage: "bad-page"
        case .local(let code, _): code
        }
    }

    public var detail: String {
        switch self {
        case .refused(_, let detail), .pivotLost(let detail), .badPage(let detail), .local(_, let detail): detail
        }
    }
}

/// One durable step of a node.
public struct NodeCommit: Sendable {
    /// Nil when the base did not change.
    public var base: BaseCommit?
    /// The staged sections take the place of those in use: a snapshot with this many log entries. Nil for any other commit.
    public var installedEntries: UInt64?
    public var overlays: [(path: Path, overlay: Overlay?)] = []
    public var addedPending: [PendingOperation] = []
    public var removedPending: [UInt64] = []
    public var addedSealed: [SealedOutboxDelta] = []
    public var removedSealed: [UInt64] = []
    public var deadLetters: [DeadLetter] = []
    /// The record's author and incarnation are others than before.
    public var isIncarnationNew = false
    public var record: NodeRecord

    public init(record: NodeRecord) { self.record = record }
}

/// A delta of the outbox that is sealed: what was sent once is sent again byte for byte.
public struct SealedOutboxDelta: Hashable, Sendable {
    public var link: SealedLink
    public var delta: VerifiedDelta
}

/// One link of the chain of sealed deltas whose receipts have not come.
public struct SealedLink: Hashable, Sendable {
    public var firstSequence: UInt64
    public var lastSequence: UInt64
    public var headerHash: Digest
    /// Of the sealed delta.
    public var bytes: Int

    public init(firstSequence: UInt64, lastSequence: UInt64, headerHash: Digest, bytes: Int) {
        self.bytes = bytes
        self.firstSequence = firstSequence
        self.lastSequence = lastSequence
        self.headerHash = headerHash
    }
}

/// An operation of this node that the pivot refused, kept until a person has seen it.
public struct DeadLetter: Hashable, Sendable {
    public var replica: ReplicaID
    public var operation: PendingOperation
    public var reason: String

    public var dot: Dot { Dot(replica: replica, sequence: operation.sequence) }

    public init(replica: ReplicaID, operation: PendingOperation, reason: String) {
        self.replica = replica
        self.operation = operation
        self.reason = reason
    }
}

/// What a node knows beside the replicated state, its outbox and its overlay.
public struct NodeRecord: Hashable, Sendable {
    /// Whose the incarnation is; nil: whose key the node has now.
    public var author: AuthorID?
    public var incarnation: UInt64
    public var nextSequence: UInt64
    public var clock: HybridTimestamp
    /// Of the cursor.
    public var epoch: Epoch
    /// The pivot's signature under the checkpoint at the cursor.
    public var checkpoint: SignedPayload?
    /// Whether the first log is in: from then on every start serves at once.
    public var isReady: Bool
    /// The first sequence under this incarnation that the log holds and this node did not write; 0 while there is none.
    public var spoiledFrom: UInt64

    public init(
        incarnation: UInt64, nextSequence: UInt64 = 1, clock: HybridTimestamp = .zero,
        epoch: Epoch = Cursor.start.epoch, checkpoint: SignedPayload? = nil, isReady: Bool = false, spoiledFrom: UInt64 = 0
    ) {
        self.incarnation = incarnation
        self.nextSequence = nextSequence
        self.clock = clock
        self.epoch = epoch
        self.checkpoint = checkpoint
        self.isReady = isReady
        self.spoiledFrom = spoiledFrom
    }
}
