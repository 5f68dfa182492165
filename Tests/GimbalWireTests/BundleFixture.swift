import GimbalCRDT
import GimbalSigning
import GimbalWire

/// A space's log put together by hand, so that a test can also build what no pivot would.
struct BundleFixture {
    static let primitives = SodiumPrimitives()

    let root = Self.key(1)
    var pivot = Self.key(2)
    let author = Self.key(3)
    let stranger = Self.key(4)
    /// Rising serials.
    var certificates: [SignedPayload] = []
    private(set) var entries: [(entry: LogEntry, delta: VerifiedDelta)] = []
    private(set) var heads: [ReplicaID: Head] = [:]
    /// Of the last entry.
    var cap = HybridTimestamp(milliseconds: 1_000_000)
    /// What the checkpoint says is the greatest; the cap by default.
    var greatestStamp: HybridTimestamp?

    var space: SpaceID { SpaceID(words: root.author.words) }

    static func key(_ seed: UInt8) -> SigningKey {
        guard let key = SigningKey(seed: Array(repeating: seed, count: 32)) else { preconditionFailure("32 bytes are a seed") }
        return key
    }

    static func path(_ text: String) -> Path {
        guard let path = Path(text) else { preconditionFailure("\(text) is a path") }
        return path
    }

    init() { certify(pivot, serial: 1) }

    mutating func certify(_ key: SigningKey, serial: UInt64, of space: SpaceID? = nil, by signer: SigningKey? = nil) {
        let certificate = Certificate(space: space ?? self.space, pivot: key.author, serial: serial, issuedMilliseconds: 5)
        certificates.append(SignedPayload(signing: certificate.encoded, with: signer ?? root))
    }

    /// A delta that extends its replica's chain.
    mutating func seal(
        _ actions: [(String, Operation.Action)], by key: SigningKey, incarnation: UInt64 = 7,
        space: SpaceID? = nil, offsets: [UInt64]? = nil, observed: [DeltaHeader.Observed] = []
    ) -> VerifiedDelta {
        let replica = ReplicaID(author: key.author, incarnation: incarnation)
        let head = heads[replica] ?? .none
        let header = DeltaHeader(
            space: space ?? self.space, replica: replica, firstSequence: head.sequence + 1, count: 0,
            stamp: HybridTimestamp(milliseconds: 1_000), previous: head.headerHash, observed: observed, root: .zero)
        let operations = actions.enumerated().map { index, action in
            Operation(stampOffset: offsets?[index] ?? UInt64(index), path: Self.path(action.0), action: action.1).encoded
        }
        let delta = VerifiedDelta(sealing: operations, header: header, with: key, Self.primitives)
        heads[replica] = Head(sequence: delta.header.lastSequence, headerHash: delta.headerHash)
        return delta
    }

    /// Appends an entry; what is refused is hidden, as a pivot does it.
    mutating func append(_ delta: VerifiedDelta, refusals: [Refusal] = []) {
        cap = cap.successor
        let hidden = Set(refusals.map(\.index))
        let shown = delta.pruned(keeping: { !hidden.contains($0) }, Self.primitives)
        entries.append((LogEntry(body: .delta(shown.sealed), cap: cap, refusals: refusals), shown))
    }

    mutating func append(_ actions: [(String, Operation.Action)], by key: SigningKey, refusals: [Refusal] = []) {
        append(seal(actions, by: key), refusals: refusals)
    }

    /// The next life of the log, with a tree of its own.
    mutating func endTree() { entries = [] }

    /// A space with settings and one member that may write `things/*`.
    static func founded() -> BundleFixture {
        var fixture = BundleFixture()
        fixture.append([("_settings", .assign(value: Array(#"{"patterns":["**"]}"#.utf8), created: .zero))], by: fixture.pivot)
        fixture.append([fixture.member(fixture.author)], by: fixture.pivot)
        return fixture
    }

    func member(_ key: SigningKey, writes: String = "things/*", revoked: Bool = false) -> (String, Operation.Action) {
        let json = #"{"name":"a","writes":["\#(writes)"],"revoked":\#(revoked)}"#
        return ("_members/\(key.author.hex)", .put(value: Array(json.utf8), created: .zero, observed: []))
    }

    static func put(_ path: String, _ value: String) -> (String, Operation.Action) {
        (path, .put(value: Array(value.utf8), created: .zero, observed: []))
    }

    var leaves: [Digest] { entries.map { $0.entry.leaf(Self.primitives) } }

    func checkpoint(position: UInt64? = nil, firstPosition: UInt64 = 1, epoch: UInt64 = 1) -> SignedPayload {
        let checkpoint = Checkpoint(
            space: space, epoch: Epoch(number: epoch, random: 9), position: position ?? UInt64(entries.count),
            firstPosition: firstPosition, pivotMilliseconds: 900_000, greatestStamp: greatestStamp ?? cap, stateDigest: .zero,
            logRoot: MerkleTree.root(leaves, Self.primitives))
        return SignedPayload(signing: checkpoint.encoded, with: pivot)
    }

    func item(_ position: Int, tree: Int = 0) -> BundleEntry {
        let leaves = leaves
        let path = MerkleTree.inclusionPath(of: UInt64(position - 1), in: UInt64(leaves.count)) { range in
            MerkleTree.root(Array(leaves[Int(range.lowerBound)..<Int(range.upperBound)]), Self.primitives)
        }
        return BundleEntry(
            tree: tree, position: UInt64(position), entry: entries[position - 1].entry, inclusionPath: path)
    }

    var head: BundleItem { .head(space: space, certificates: certificates, checkpoints: [checkpoint()]) }
    var items: [BundleItem] { entries.indices.map { .entry(item($0 + 1)) } }

    static func file(_ items: [BundleItem]) -> [UInt8] {
        var writer = BundleWriter()
        var bytes: [UInt8] = []
        for item in items { bytes += writer.bytes(of: item) }
        return bytes + writer.end()
    }

    var file: [UInt8] { Self.file([head] + items) }
}

/// A report, and what was proven on the way.
func verify(_ bytes: [UInt8], space: SpaceID? = nil, chunk: Int = 1 << 20) -> (report: BundleReport, proven: [ProvenOperation]) {
    var rest = bytes[...]
    var proven: [ProvenOperation] = []
    let report = BundleVerifier.verify(expectedSpace: space) {
        defer { rest = rest.dropFirst(chunk) }
        return rest.isEmpty ? nil : Array(rest.prefix(chunk))
    } visit: {
        proven.append($0)
    }
    return (report, proven)
}

func errorCodes(_ bytes: [UInt8], space: SpaceID? = nil) -> [String] {
    verify(bytes, space: space).report.findings.filter { $0.severity == .error }.map(\.code)
}
