import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalStorage
import GimbalWire

/// Writes what a space holds as a bundle that anybody can verify offline: the live operations of some paths with their
/// proofs, the space's own records that they need, and, for a rescue, a node's outbox.
public struct SpaceExport: Sendable {
    private let view: any StorageView
    private let space: SpaceID
    private let certificate: SignedPayload
    private let signedCheckpoint: SignedPayload
    private let primitives = SodiumPrimitives()

    /// - Parameter view: must show the state of exactly this checkpoint.
    init(view: any StorageView, space: SpaceID, certificate: SignedPayload, checkpoint: SignedPayload) {
        self.view = view
        self.space = space
        self.certificate = certificate
        signedCheckpoint = checkpoint
    }

    /// Streams the bundle to `sink`. What is held meanwhile is a few numbers for each live operation and entry.
    ///
    /// Throws a `StoreError`, or what `sink` throws.
    public func write(_ patterns: [Pattern], includingOutbox: Bool = false, to sink: ([UInt8]) throws -> Void) throws {
        var writer = BundleWriter()
        let checkpoint = try decoding("checkpoint") { () throws(WireError) in
            try Checkpoint(decoding: signedCheckpoint.payload)
        }
        let wanted = try operations(patterns)
        let tree = try LogTree(
            view: view, firstPosition: checkpoint.firstPosition, through: checkpoint.position, primitives)
        try sink(writer.bytes(of: .head(space: space, certificate: certificate, checkpoint: signedCheckpoint)))
        for position in wanted.keys.sorted() {
            let entry = try prunedEntry(position, showing: wanted[position] ?? [])
            let path = tree.inclusionPath(Int(position - checkpoint.firstPosition))
            try sink(writer.bytes(of: .entry(position: position, entry, inclusionPath: path)))
        }
        if includingOutbox {
            for delta in try outbox() { try sink(writer.bytes(of: .unplaced(delta))) }
        }
        try sink(writer.end())
    }

    /// Sequences of the live operations on the paths, and on the space's own records, by position.
    private func operations(_ patterns: [Pattern]) throws(StoreError) -> [UInt64: Set<UInt64>] {
        var dots: [Dot] = []
        let loader = SpaceLoader(view: view)
        try loader.scan(from: [], until: nil, in: .state, "states") { key, value throws(WireError) in
            guard let path = Path(key) else { throw WireError(.badPath) }
            guard path.isReserved || patterns.contains(where: { $0.matches(path) }) else { return true }
            dots += try StateRecord.decode(value, at: path).writes.map(\.dot)
            return true
        }
        var positions: [UInt64: Set<UInt64>] = [:]
        for dot in dots { positions[try position(of: dot, loader), default: []].insert(dot.sequence) }
        return positions
    }

    private func position(of dot: Dot, _ loader: SpaceLoader) throws(StoreError) -> UInt64 {
        var position: UInt64?
        let key = RecordKey.link(dot.replica, lastSequence: dot.sequence)
        let end = RecordKey.end(of: RecordKey.replica(dot.replica))
        try loader.scan(from: key, until: end, in: .chain, "chain") { _, value throws(WireError) in
            var reader = CBORReader(value)
            try reader.array(of: 3)
            _ = try reader.unsigned()
            _ = try reader.fixed(Digest.self)
            position = try reader.unsigned()
            return false
        }
        guard let position else { throw .damaged(record: "chain of \(dot)", WireError(.truncated)) }
        return position
    }

    private func prunedEntry(_ position: UInt64, showing sequences: Set<UInt64>) throws(StoreError) -> LogEntry {
        let bytes = try storing { () throws(StorageError) in try view.load([RecordKey.number(position)], from: .log)[0] }
        return try decoding("log entry \(position)") { () throws(WireError) in
            guard let bytes else { throw WireError(.truncated) }
            var entry = try LogEntry(decoding: bytes)
            guard case .delta(let sealed) = entry.body else { throw WireError(.unexpected) }
            let first = sealed.claimedHeader.firstSequence
            let pruned = try sealed.verified(primitives).pruned(
                keeping: { sequences.contains(first + UInt64($0)) }, primitives)
            entry.body = .delta(pruned.sealed)
            return entry
        }
    }

    private func outbox() throws(StoreError) -> [SealedDelta] {
        var deltas: [SealedDelta] = []
        try SpaceLoader(view: view).scan(from: [], until: nil, in: .sealed, "sealed outbox") { key, value throws(WireError) in
            deltas.append(try CommitRecord.decodeSealed(value, first: RecordKey.number(from: key)).1)
            return true
        }
        return deltas
    }
}

extension PivotSpace {
    /// A bundle of the present state; nil while the log is empty.
    public func export() throws(StoreError) -> SpaceExport? {
        // A commit between the two look-ups would leave the view ahead of the checkpoint: then take both again.
        for _ in 0..<1000 {
            guard let checkpoint = latestCheckpoint else { return nil }
            let view = try storing { () throws(StorageError) in try engine.view() }
            if latestCheckpoint == checkpoint, try stands(view, at: checkpoint) {
                return SpaceExport(view: view, space: space, certificate: certificate, checkpoint: checkpoint)
            }
        }
        throw .storage(.failed(reason: "the space changes too fast to take a view of it"))
    }
}

extension NodeSpace {
    /// A bundle of the present base; nil before the first page is in.
    public func export() throws(StoreError) -> SpaceExport? {
        for _ in 0..<1000 {
            guard let checkpoint, let certificate else { return nil }
            let view = try storing { () throws(StorageError) in try engine.view() }
            if self.checkpoint == checkpoint, try stands(view, at: checkpoint) {
                return SpaceExport(view: view, space: space, certificate: certificate, checkpoint: checkpoint)
            }
        }
        throw .storage(.failed(reason: "the space changes too fast to take a view of it"))
    }
}

/// Whether a view's log ends where the checkpoint is.
private func stands(_ view: any StorageView, at checkpoint: SignedPayload) throws(StoreError) -> Bool {
    let position = try decoding("checkpoint") { () throws(WireError) in try Checkpoint(decoding: checkpoint.payload) }.position
    let last = try storing { () throws(StorageError) in
        try view.last(.log, below: RecordKey.number(.max))
    }
    return last.map { RecordKey.number(from: $0.key) } == position
}
