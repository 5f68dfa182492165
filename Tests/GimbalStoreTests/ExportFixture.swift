import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalStorage
import GimbalStore
import GimbalWire

/// A pivot and a node of one space, in memory, with real keys and nothing between them but this.
final class ExportFixture: Sendable {
    let root = ExportFixture.key(1)
    let pivotKey = ExportFixture.key(2)
    let nodeKey = ExportFixture.key(3)
    let space: SpaceID
    let certificate: SignedPayload
    let pivotEngine = MemoryEngine()
    let nodeEngine = MemoryEngine()
    let pivot: PivotSpace
    let node: NodeSpace
    private let primitives = SodiumPrimitives()

    static func key(_ seed: UInt8) -> SigningKey {
        guard let key = SigningKey(seed: Array(repeating: seed, count: 32)) else { preconditionFailure("32 bytes are a seed") }
        return key
    }

    static func path(_ text: String) -> Path {
        guard let path = Path(text) else { preconditionFailure("\(text) is a path") }
        return path
    }

    static func pattern(_ text: String) -> Pattern {
        guard let pattern = Pattern(text) else { preconditionFailure("\(text) is a pattern") }
        return pattern
    }

    /// Settings for every path, and the node as a member that may write `things/*` and `one`.
    init() async throws {
        space = SpaceID(words: root.author.words)
        let word = Certificate(space: space, pivot: pivotKey.author, serial: 1, issuedMilliseconds: 1)
        certificate = SignedPayload(signing: word.encoded, with: root)
        pivot = try PivotSpace(space: space, engine: pivotEngine, signer: pivotKey, certificate: certificate)
        node = try NodeSpace(space: space, engine: nodeEngine, signer: nodeKey)
        node.remember(certificate: certificate)
        var settings = SpaceSettings()
        settings.patterns = [Self.pattern("**")]
        try await writePivot(.record(SpaceRecords.settingsPath, value: settings.json))
        try await admit(nodeKey.author, name: "node")
        try await pull()
        node.deliver(.joined(place: pivot.place))
        try await pull()
    }

    func admit(_ author: AuthorID, name: String, writes: [String] = ["things/*", "one"], revoked: Bool = false) async throws {
        let member = MemberRecord(name: name, writes: writes.map(Self.pattern), isRevoked: revoked)
        try await writePivot(.record(SpaceRecords.memberPath(author), value: member.json))
    }

    func writePivot(_ action: WriteRequest.Action) async throws { _ = try await pivot.write(action).get() }

    func setPivot(_ path: String, _ value: String) async throws {
        try await writePivot(.set(Self.path(path), value: Array(value.utf8)))
    }

    func setNode(_ path: String, _ value: String) async throws {
        _ = try await node.write(.set(Self.path(path), value: Array(value.utf8))).get()
    }

    /// Gives the node the rest of the pivot's log.
    func pull() async throws {
        while let page = try pivot.page(after: node.cursor.position, receiptsFor: nil) {
            let decoded = try ReadPage(page.bytes)
            var entries: [NodePage.Entry] = []
            for entry in decoded.entries {
                guard case .delta(let sealed) = entry.body else { continue }
                entries.append(
                    .init(
                        body: .delta(IncomingDelta(try sealed.verified(primitives))), cap: entry.cap,
                        refusals: entry.refusals, leaf: entry.leaf(primitives)))
            }
            let checkpoint = try VerifiedCheckpoint(
                verifying: decoded.checkpoint, by: pivotKey.author, of: space, primitives)
            await node.apply(NodePage(after: decoded.after, entries: entries, checkpoint: checkpoint))
            guard node.cursor.position == page.end else { throw Stuck() }
        }
    }

    /// Answers what the node pushes, until the pivot has this sequence of it.
    func push(through sequence: UInt64) async throws {
        for await command in node.commands {
            guard case .push(let request, let number) = command else { continue }
            let deltas = try request.deltas.map { IncomingDelta(try $0.verified(primitives)) }
            let head = try await accepted(deltas, at: request.cursor).head
            let signed = pivot.answer(.accepted, to: [1], head: head, detail: "")
            let answer = try VerifiedAnswer(verifying: signed, by: pivotKey.author, of: space, to: [1], primitives).answer
            node.deliver(.pushAnswered(answer, push: number))
            if head.sequence >= sequence { return }
        }
        throw Stuck()
    }

    struct Stuck: Error {}

    private func accepted(_ deltas: [IncomingDelta], at cursor: Cursor) async throws -> PushOutcome {
        let result = await withCheckedContinuation { continuation in
            pivot.push(cursor, deltas) { continuation.resume(returning: $0) }
        }
        let outcome = try result.get()
        guard outcome.verdict == .accepted else { throw Stuck() }
        return outcome
    }

    /// A delta of a member that is not here, as it would be pushed.
    @discardableResult
    func push(_ values: [(path: String, value: String)], by key: SigningKey, after head: Head = .none) async throws -> Head {
        let header = DeltaHeader(
            space: space, replica: ReplicaID(author: key.author, incarnation: 77), firstSequence: head.sequence + 1,
            count: 0, stamp: HybridTimestamp(milliseconds: 1_700_000_000_000), previous: head.headerHash, observed: [],
            root: .zero)
        let operations = values.enumerated().map { index, value in
            Operation(
                stampOffset: UInt64(index), path: Self.path(value.path),
                action: .put(value: Array(value.value.utf8), created: .zero, observed: [])
            ).encoded
        }
        let delta = VerifiedDelta(sealing: operations, header: header, with: key, primitives)
        _ = try await accepted([IncomingDelta(delta)], at: .start)
        return Head(sequence: delta.header.lastSequence, headerHash: delta.headerHash)
    }

    func close() {
        pivot.close()
        node.close()
    }
}

/// The file that an export writes.
func file(_ export: SpaceExport?, _ patterns: [String] = ["**"], includingOutbox: Bool = false) throws -> [UInt8] {
    var bytes: [UInt8] = []
    try export?.write(patterns.map(ExportFixture.pattern), includingOutbox: includingOutbox) { bytes += $0 }
    return bytes
}

func verify(_ bytes: [UInt8], space: SpaceID) -> (report: BundleReport, values: [String: String]) {
    var rest = bytes[...]
    var values: [String: String] = [:]
    let report = BundleVerifier.verify(expectedSpace: space) {
        defer { rest = rest.dropFirst(1000) }
        return rest.isEmpty ? nil : Array(rest.prefix(1000))
    } visit: { operation in
        values[operation.path.description] = operation.value.map { String(decoding: $0, as: UTF8.self) } ?? "deleted"
    }
    return (report, values)
}
