import GimbalCRDT
import GimbalSigning
import GimbalWire

/// A small space with real keys: a log of its pivot's and two members' deltas, and what can be made of it.
struct Scene {
    static let shared = Scene()

    let primitives = SodiumPrimitives()
    let root = Self.key(1)
    let pivot = Self.key(2)
    let anna = Self.key(3)
    let bert = Self.key(4)
    private(set) var entries: [LogEntry] = []
    private(set) var deltas: [VerifiedDelta] = []
    private(set) var certificate: SignedPayload
    /// Signed by bert, in no log.
    private(set) var unplaced: [VerifiedDelta] = []
    private var heads: [ReplicaID: Head] = [:]

    var space: SpaceID { SpaceID(words: root.author.words) }

    static func key(_ seed: UInt8) -> SigningKey {
        guard let key = SigningKey(seed: Array(repeating: seed, count: SigningKey.seedByteCount)) else {
            preconditionFailure("\(SigningKey.seedByteCount) bytes are a seed")
        }
        return key
    }

    static func path(_ text: String) -> Path {
        guard let path = Path(text) else { preconditionFailure("\(text) is a path") }
        return path
    }

    private init() {
        let certificate = Certificate(
            space: SpaceID(words: root.author.words), pivot: pivot.author, serial: 1, issuedMilliseconds: 1)
        self.certificate = SignedPayload(signing: certificate.encoded, with: root)
        append([("_settings", .assign(value: Array(#"{"patterns":["**"]}"#.utf8), created: .zero))], by: pivot)
        let member = Array(#"{"name":"a","writes":["things/*","one"]}"#.utf8)
        append(
            [anna, bert].map { ("_members/\($0.author.hex)", .put(value: member, created: .zero, observed: [])) }, by: pivot)
        append(Self.puts(["things/1", "things/2", "things/3"], "1"), by: anna)
        append(
            Self.puts(["things/1"], #"{"a":[1,2]}"#) + [("one", .assign(value: Array("2".utf8), created: .zero))], by: bert,
            refusing: [])
        let seen = DeltaHeader.Observed(
            replica: ReplicaID(author: bert.author, incarnation: 1), greatestSequence: heads.values.map(\.sequence).min() ?? 1)
        append(
            [
                ("things/1", .put(value: Array("3".utf8), created: .zero, observed: [.init(replicaIndex: 0, sequence: 1)])),
                ("things/2", .remove(observed: [])), ("one", .clear),
                ("things/4", .put(value: [0x34], created: .zero, observed: [])),
                ("forbidden/4", .put(value: [0x34], created: .zero, observed: [])),
            ], by: anna, refusing: [4], observing: [seen])
        append(Self.puts(["things/5", "things/6"], "null"), by: anna)
        unplaced = [seal(Self.puts(["things/7", "things/8"], "7"), by: bert)]
    }

    private static func puts(_ paths: [String], _ value: String) -> [(String, Operation.Action)] {
        paths.map { ($0, .put(value: Array(value.utf8), created: .zero, observed: [])) }
    }

    private mutating func seal(
        _ actions: [(String, Operation.Action)], by key: SigningKey, observing observed: [DeltaHeader.Observed] = []
    ) -> VerifiedDelta {
        let replica = ReplicaID(author: key.author, incarnation: 1)
        let head = heads[replica] ?? .none
        let header = DeltaHeader(
            space: space, replica: replica, firstSequence: head.sequence + 1, count: actions.count,
            stamp: HybridTimestamp(milliseconds: 1_000 + UInt64(deltas.count)), previous: head.headerHash, observed: observed,
            root: .zero)
        let operations = actions.enumerated().map { index, action in
            Operation(stampOffset: UInt64(index), path: Self.path(action.0), action: action.1).encoded
        }
        let delta = VerifiedDelta(sealing: operations, header: header, with: key, primitives)
        heads[replica] = Head(sequence: delta.header.lastSequence, headerHash: delta.headerHash)
        return delta
    }

    private mutating func append(
        _ actions: [(String, Operation.Action)], by key: SigningKey, refusing refused: [Int] = [],
        observing observed: [DeltaHeader.Observed] = []
    ) {
        let delta = seal(actions, by: key, observing: observed)
        let shown = delta.pruned(keeping: { !refused.contains($0) }, primitives)
        deltas.append(delta)
        entries.append(
            LogEntry(
                body: .delta(shown.sealed), cap: HybridTimestamp(milliseconds: 2_000 + UInt64(entries.count)),
                refusals: refused.map { Refusal(index: $0, reason: "forbidden") }))
    }

    // MARK: What is made of it

    var checkpoint: SignedPayload {
        let checkpoint = Checkpoint(
            space: space, epoch: Epoch(number: 1, random: 2), position: UInt64(entries.count), firstPosition: 1,
            pivotMilliseconds: 3_000, greatestStamp: entries.last?.cap ?? .zero, stateDigest: .zero,
            logRoot: MerkleTree.root(leaves, primitives))
        return SignedPayload(signing: checkpoint.encoded, with: pivot)
    }

    private var leaves: [Digest] { entries.map { $0.leaf(primitives) } }

    var cursor: Cursor { Cursor(epoch: Epoch(number: 1, random: 2), position: 3, logRoot: leaves[2]) }

    var page: [UInt8] { Page.encode(after: 0, entries: entries.map(\.encoded), checkpoint: checkpoint.encoded) }

    var push: PushRequest { PushRequest(cursor: cursor, deltas: unplaced.map(\.sealed)) }

    var answers: [Answer] {
        Answer.Verdict.allCases.map {
            Answer(
                space: space, nonce: Array(1...24), verdict: $0, head: Head(sequence: 3, headerHash: leaves[0]), place: cursor,
                pivotMilliseconds: 4_000, detail: "for people")
        }
    }

    /// The log, and the unplaced deltas.
    var bundleItems: [BundleItem] {
        let leaves = leaves
        let entries = entries.enumerated().map { index, entry in
            let path = MerkleTree.inclusionPath(of: UInt64(index), in: UInt64(leaves.count)) { range in
                MerkleTree.root(Array(leaves[Int(range.lowerBound)..<Int(range.upperBound)]), primitives)
            }
            return BundleItem.entry(BundleEntry(position: UInt64(index) + 1, entry: entry, inclusionPath: path))
        }
        return [.head(space: space, certificates: [certificate], checkpoints: [checkpoint])] + entries
            + unplaced.map { .unplaced($0.sealed) }
    }

    static func file(_ items: [BundleItem]) -> [UInt8] {
        var writer = BundleWriter()
        var bytes: [UInt8] = []
        for item in items { bytes += writer.bytes(of: item) }
        return bytes + writer.end()
    }
}
