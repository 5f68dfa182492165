import GimbalCRDT

/// The parts of a snapshot: a CBOR sequence (RFC 8742) of a head, state items, the state's end, proof items, an end.
/// Specs/gimbal.cddl, docs/wire-format.md §8.
///
/// Nothing is under a signature of its own: the state is proven by the checkpoint's digest, the log by its root and by the
/// signatures of the deltas.
public enum SnapshotItem: Hashable, Sendable {
    /// About as many bytes of items travel together; a single item may be larger.
    public static let frameBytes = 1 << 20
    static let mostTrees = 64

    case head(SnapshotHead)
    /// A log entry whose delta shows the operations that are live, and all on the space's own records. By position.
    case entry(tree: Int, position: UInt64, LogEntry)
    /// The version vector, rising.
    case replica(ReplicaID, Head)
    /// Rising.
    case refused(Dot, reason: String)
    case stateEnd(entries: UInt64, replicas: UInt64, refused: UInt64)
    /// What no entry of the snapshot shows of a log tree.
    case subtree(tree: Int, LogSubtree)
    case end(subtrees: UInt64)

    private enum Kind {
        static let end: UInt64 = 0, entry: UInt64 = 1, replica: UInt64 = 2, refused: UInt64 = 3, stateEnd: UInt64 = 4,
            subtree: UInt64 = 5
    }

    public func encode(into writer: inout CBORWriter) {
        switch self {
        case .head(let head): head.encode(into: &writer)
        case .entry(let tree, let position, let entry):
            Self.encode(tree: tree, position: position, entry: entry.encoded, into: &writer)
        case .replica(let replica, let head):
            writer.array(count: 5)
            writer.unsigned(Kind.replica)
            writer.byteString(replica.author)
            writer.unsigned(replica.incarnation)
            writer.unsigned(head.sequence)
            writer.byteString(head.headerHash)
        case .refused(let dot, let reason):
            writer.array(count: 5)
            writer.unsigned(Kind.refused)
            writer.byteString(dot.replica.author)
            writer.unsigned(dot.replica.incarnation)
            writer.unsigned(dot.sequence)
            writer.text(reason)
        case .stateEnd(let entries, let replicas, let refused):
            writer.array(count: 4)
            for number in [Kind.stateEnd, entries, replicas, refused] { writer.unsigned(number) }
        case .subtree(let tree, let subtree):
            writer.array(count: 5)
            writer.unsigned(Kind.subtree)
            writer.unsigned(tree)
            writer.unsigned(subtree.first)
            writer.byteString(subtree.hash)
            writer.unsigned(subtree.leaves)
        case .end(let subtrees):
            writer.array(count: 2)
            writer.unsigned(Kind.end)
            writer.unsigned(subtrees)
        }
    }

    /// An entry that is encoded already, as it lies in the log.
    public static func encode(tree: Int, position: UInt64, entry: [UInt8], into writer: inout CBORWriter) {
        writer.array(count: 4)
        writer.unsigned(Kind.entry)
        writer.unsigned(tree)
        writer.unsigned(position)
        writer.encoded(entry)
    }

    /// The next item.
    ///
    /// - Parameters:
    ///   - reader: of a frame, at the item.
    ///   - isFirst: whether it is the snapshot's first: a head there, anything else after it.
    public init(from reader: inout CBORReader, isFirst: Bool) throws(WireError) {
        if isFirst {
            self = .head(try SnapshotHead(from: &reader))
            return
        }
        let start = reader.offset
        let fields = try reader.arrayCount(upTo: 5, "fields of a snapshot item")
        switch (try reader.unsigned(), fields) {
        case (Kind.entry, 4):
            let tree = try reader.count(upTo: Self.mostTrees - 1, "tree")
            self = .entry(tree: tree, position: try reader.ordinal(), try LogEntry(from: &reader))
        case (Kind.replica, 5):
            let replica = ReplicaID(author: try reader.fixed(AuthorID.self), incarnation: try reader.unsigned())
            self = .replica(
                replica, Head(sequence: try reader.ordinal(), headerHash: try reader.fixed(Digest.self)))
        case (Kind.refused, 5):
            let replica = ReplicaID(author: try reader.fixed(AuthorID.self), incarnation: try reader.unsigned())
            self = .refused(
                Dot(replica: replica, sequence: try reader.ordinal()), reason: try reader.text(upTo: 64))
        case (Kind.stateEnd, 4):
            self = .stateEnd(
                entries: try reader.ordinal(), replicas: try reader.ordinal(), refused: try reader.ordinal())
        case (Kind.subtree, 5):
            let tree = try reader.count(upTo: Self.mostTrees - 1, "tree")
            let first = try reader.ordinal()
            let hash = try reader.fixed(Digest.self)
            self = .subtree(tree: tree, LogSubtree(first: first, leaves: try reader.ordinal(), hash: hash))
        case (Kind.end, 2):
            self = .end(subtrees: try reader.ordinal())
        case (let kind, _):
            throw WireError(.unknownKind, at: start, "snapshot item of kind \(kind)")
        }
    }
}

/// Of which space and checkpoint a snapshot is.
public struct SnapshotHead: Hashable, Sendable {
    static let type = "gimbal.snapshot.1"

    public var space: SpaceID
    /// The root's words for the space's pivots, with rising serials; the last one's key signed the last checkpoint.
    public var certificates: [SignedPayload]
    /// With rising epochs; the state is that of the last, the others are of trees that joins ended.
    public var checkpoints: [SignedPayload]
    /// Right edge of the last log tree.
    public var frontier: MerkleTree.Frontier

    public init(
        space: SpaceID, certificates: [SignedPayload], checkpoints: [SignedPayload], frontier: MerkleTree.Frontier
    ) {
        self.space = space
        self.certificates = certificates
        self.checkpoints = checkpoints
        self.frontier = frontier
    }

    func encode(into writer: inout CBORWriter) {
        writer.array(count: 5)
        writer.text(Self.type)
        writer.byteString(space)
        for list in [certificates, checkpoints] {
            writer.array(count: list.count)
            for payload in list { payload.encode(into: &writer) }
        }
        frontier.encode(into: &writer)
    }

    init(from reader: inout CBORReader) throws(WireError) {
        try reader.array(of: 5)
        try reader.type(Self.type)
        space = try reader.fixed(SpaceID.self)
        certificates = try Self.payloads(from: &reader, "certificates")
        checkpoints = try Self.payloads(from: &reader, "checkpoints")
        frontier = try MerkleTree.Frontier(from: &reader)
    }

    private static func payloads(from reader: inout CBORReader, _ what: String) throws(WireError) -> [SignedPayload] {
        let start = reader.offset
        var payloads: [SignedPayload] = []
        for _ in 0..<(try reader.arrayCount(upTo: SnapshotItem.mostTrees, what)) {
            payloads.append(try SignedPayload(from: &reader))
        }
        guard !payloads.isEmpty else { throw WireError(.inconsistent, at: start, "\(what): one at least") }
        return payloads
    }
}

extension MerkleTree.Frontier {
    /// [leaves, [greatest subtree …]]
    public func encode(into writer: inout CBORWriter) {
        writer.array(count: 2)
        writer.unsigned(count)
        writer.array(count: subtrees.count)
        for subtree in subtrees { writer.byteString(subtree) }
    }

    public init(from reader: inout CBORReader) throws(WireError) {
        let start = reader.offset
        try reader.array(of: 2)
        let count = try reader.ordinal()
        var subtrees: [Digest] = []
        for _ in 0..<(try reader.arrayCount(upTo: 64, "subtrees")) { subtrees.append(try reader.fixed(Digest.self)) }
        guard let frontier = Self(count: count, subtrees: subtrees) else {
            throw WireError(.inconsistent, at: start, "a subtree for each bit of the count expected")
        }
        self = frontier
    }
}
