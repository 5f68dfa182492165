import GimbalCRDT
import GimbalReplication
import GimbalWire
import Laws
import Testing

/// A pivot and one member, driven by hand: what a test does to the cores, step by step.
struct SmallSpace {
    static let space = SpaceID(words: Words32(0x5ace, 0, 0, 0))
    let pivotSigner = FastSigner(number: 0)
    let signer = FastSigner(number: 1)
    var pivot: PivotServer
    var node: NodeServer
    var now = Now(wallMilliseconds: 1_700_000_000_000, steadyMilliseconds: 0)
    var random = SeededRandom(seed: 1)
    private let primitives = FastPrimitives()
    private var token: UInt64 = 0

    /// - Parameter writes: patterns that the member may write; all paths of the space are `things/*` and registers.
    init(writes: [String] = ["**"], isRevoked: Bool = false) throws {
        let base = BaseDisk(space: Self.space)
        pivot = PivotServer(disk: .init(base: base), signer: pivotSigner)
        node = NodeServer(signer: signer, disk: .init(base: base, record: NodeRecord(incarnation: 7)))
        var settings = SpaceSettings()
        settings.patterns = ["*", "things/*"].compactMap { Pattern($0) }
        settings.limits.valueBytes = 20
        try write(SpaceRecords.settingsPath, settings.json)
        let record = MemberRecord(name: "", writes: writes.compactMap { Pattern($0) }, isRevoked: isRevoked)
        try write(SpaceRecords.memberPath(signer.author), record.json)
        try stepNode(.joined(place: pivot.core.place))
        try pull()
    }

    // MARK: The pivot

    mutating func write(_ path: Path, _ json: [UInt8]) throws {
        token += 1
        _ = try pivot.step([.write(WriteRequest(token: token, action: .record(path, value: json)))], now: now, using: &random)
    }

    /// A delta of the member, or of another signer, that extends what the pivot holds of its replica.
    func delta(
        _ operations: [(stamp: UInt64, path: String, action: GimbalWire.Operation.Action)], observed: [DeltaHeader.Observed] = [],
        by author: FastSigner? = nil, incarnation: UInt64 = 7, space: SpaceID = Self.space, previous: Digest? = nil
    ) throws -> IncomingDelta {
        let author = author ?? signer
        let replica = ReplicaID(author: author.author, incarnation: incarnation)
        let head = pivot.core.base.versionVector[replica]
        let first = try #require(operations.first).stamp
        let header = DeltaHeader(
            space: space, replica: replica, firstSequence: head.sequence + 1, count: operations.count,
            stamp: Self.stamp(first), previous: previous ?? head.headerHash, observed: observed, root: .zero)
        let encoded = try operations.map { stamp, path, action in
            let offset = Self.stamp(stamp).rawValue - Self.stamp(first).rawValue
            return GimbalWire.Operation(stampOffset: offset, path: try #require(Path(path)), action: action).encoded
        }
        return IncomingDelta(VerifiedDelta(sealing: encoded, header: header, with: author, primitives))
    }

    /// Seconds after the beginning.
    static func stamp(_ seconds: UInt64) -> HybridTimestamp {
        HybridTimestamp(milliseconds: 1_700_000_000_000 + seconds * 1000)
    }

    mutating func push(_ deltas: IncomingDelta..., cursor: Cursor? = nil, isFromBundle: Bool = false) throws -> PushOutcome {
        let cursor = cursor ?? pivot.core.place
        let push = PivotPush(token: 0, cursor: cursor, deltas: deltas, isFromBundle: isFromBundle)
        let directives = try #require(try pivot.step([.push(push)], now: now, using: &random))
        for case .answerPush(_, let outcome) in directives { return outcome }
        throw Violation("a push is answered")
    }

    /// The reasons with which the last log entry refuses operations, by index.
    var refusals: [Refusal] { Array(pivot.disk.log.last?.entry.refusals ?? []) }

    /// What the path holds at the pivot.
    func dots(_ path: String) -> [UInt64] {
        (Path(path).flatMap { pivot.disk.base.states[$0] }?.writes ?? []).map(\.dot.sequence)
    }

    // MARK: The node

    mutating func stepNode(_ inputs: NodeInput...) throws {
        try node.step(inputs, now: now, using: &random)
    }

    mutating func writeAtNode(_ path: String, _ value: String?) throws {
        token += 1
        let path = try #require(Path(path))
        let action: WriteRequest.Action = value.map { .set(path, value: Array($0.utf8)) } ?? .delete(path)
        try stepNode(.write(WriteRequest(token: token, action: action)))
    }

    func page(withOwnBodies: Bool = false) throws -> NodePage? {
        let replica = withOwnBodies ? nil : node.core.replica
        return pivot.page(after: node.core.base.position, limit: .max, receiptsFor: replica)
    }

    mutating func pull(withOwnBodies: Bool = false) throws {
        if let page = try page(withOwnBodies: withOwnBodies) { try stepNode(.page(page)) }
    }

    /// Sends what is on its way up, and delivers the answer.
    mutating func pushFromNode() throws {
        let sent = try #require(node.outgoing)
        node.outgoing = nil
        let push = PivotPush(token: 0, cursor: sent.cursor, deltas: sent.deltas)
        let directives = try #require(try pivot.step([.push(push)], now: now, using: &random))
        for case .answerPush(_, let outcome) in directives {
            let answer = Answer(
                space: Self.space, nonce: [1], verdict: outcome.verdict, head: outcome.head, place: pivot.core.place,
                pivotMilliseconds: 0, detail: outcome.detail)
            try stepNode(.pushAnswered(answer, push: sent.number))
        }
    }

    /// The same page under another checkpoint, signed by the pivot.
    func changing(_ page: NodePage, _ change: (inout Checkpoint) -> Void) throws -> NodePage {
        var (page, checkpoint) = (page, page.checkpoint.checkpoint)
        change(&checkpoint)
        page.checkpoint = try VerifiedCheckpoint(
            verifying: SignedPayload(signing: checkpoint.encoded, with: pivotSigner), by: pivotSigner.author, of: Self.space,
            primitives)
        return page
    }
}
