import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalStorage
import GimbalWire

/// Writes what a space holds as a bundle that anybody can verify offline: the live operations of some paths with their
/// proofs, the records of the space's own that prove who may write them, and, for a rescue, a node's outbox.
public struct SpaceExport: Sendable {
    private let view: any StorageView
    private let space: SpaceID
    private let certificate: SignedPayload
    private let signedCheckpoint: SignedPayload
    private let primitives = SodiumPrimitives()

    private static let chunkBytes = 1 << 16

    /// The view must stay as it is and show the state of exactly this checkpoint; the certificate is that of the pivot which
    /// signed it.
    public init(view: any StorageView, space: SpaceID, certificate: SignedPayload, checkpoint: SignedPayload) {
        self.view = view
        self.space = space
        self.certificate = certificate
        signedCheckpoint = checkpoint
    }

    /// Streams the bundle to `sink` in chunks of about 64 KiB. The same view and checkpoint give the same bytes. What is held
    /// meanwhile is 8 bytes for each live operation and about 128 for each entry of the log.
    ///
    /// Throws a `StoreError`, or what `sink` throws.
    ///
    /// - Parameters:
    ///   - patterns: which paths. The settings and the records of their authors come along.
    ///   - includingOutbox: a rescue: adds a node's sealed outbox, and every record of the space's own.
    ///   - sink: takes the chunks, one after the other.
    public func write(_ patterns: [Pattern], includingOutbox: Bool = false, to sink: ([UInt8]) throws -> Void) throws {
        let checkpoint = try decoding("checkpoint") { () throws(WireError) in
            try Checkpoint(decoding: signedCheckpoint.payload)
        }
        let (selection, positions, tree) = try survey(checkpoint, patterns, allRecords: includingOutbox)
        var writer = BundleWriter()
        var chunk = writer.bytes(of: .head(space: space, certificates: [certificate], checkpoints: [signedCheckpoint]))
        func flush(over limit: Int) throws {
            guard chunk.count > limit else { return }
            try sink(chunk)
            chunk.removeAll(keepingCapacity: true)
        }
        for position in positions {
            let entry = try prunedEntry(position, showing: selection)
            let path = tree.inclusionPath(position)
            chunk += writer.bytes(of: .entry(BundleEntry(position: position, entry: entry, inclusionPath: path)))
            try flush(over: Self.chunkBytes)
        }
        if includingOutbox {
            for first in try outbox() {
                chunk += writer.bytes(of: .unplaced(try sealedDelta(first)))
                try flush(over: Self.chunkBytes)
            }
        }
        chunk += writer.end()
        try flush(over: 0)
    }

    /// What is to be shown, in which entries, and the tree that proves their places.
    private func survey(
        _ checkpoint: Checkpoint, _ patterns: [Pattern], allRecords: Bool
    ) throws(StoreError) -> (DotSelection, [UInt64], LogTree) {
        var live = try liveOperations(patterns)
        let wanted = DotSelection(live)
        let survey = try LogSurvey(view: view, checkpoint, showing: wanted, primitives)
        let range = checkpoint.firstPosition..<(checkpoint.position + 1)
        guard survey.foundCount == wanted.count, let tree = LogTree(survey.parts, of: range, primitives),
            tree.root == checkpoint.logRoot
        else {
            let error = WireError(.inconsistent, at: 0, "it does not hold what the state and the checkpoint say")
            throw .damaged(record: "log", error)
        }
        let needed = Set(survey.authors.map(SpaceRecords.memberPath) + [SpaceRecords.settingsPath])
        let records = survey.records.filter { allRecords || needed.contains($0.path) }
        for record in records { live[record.dot.replica, default: []].append(record.dot.sequence) }
        let positions = Set(survey.positions).union(records.map(\.position))
        return (DotSelection(live), positions.sorted(), tree)
    }

    /// Sequences of the live operations on the paths, by replica.
    private func liveOperations(_ patterns: [Pattern]) throws(StoreError) -> [ReplicaID: [UInt64]] {
        var sequences: [ReplicaID: [UInt64]] = [:]
        // A prefix that another one begins is scanned with it.
        let prefixes = Set(patterns.map(\.fixedPrefix))
        for prefix in prefixes where !prefixes.contains(where: { $0.count < prefix.count && prefix.starts(with: $0) }) {
            try SpaceLoader(view: view).scan(from: prefix, until: RecordKey.end(of: prefix), in: .state, "states") {
                key, value throws(WireError) in
                guard let path = Path(key) else { throw WireError(.badPath) }
                guard patterns.contains(where: { $0.matches(path) }) else { return true }
                for write in try StateRecord.decode(value, at: path).writes {
                    sequences[write.dot.replica, default: []].append(write.dot.sequence)
                }
                return true
            }
        }
        return sequences
    }

    /// The entry as the log has it, with only the selected operations shown.
    private func prunedEntry(_ position: UInt64, showing selection: DotSelection) throws(StoreError) -> LogEntry {
        let bytes = try storing { () throws(StorageError) in try view.load([RecordKey.number(position)], from: .log)[0] }
        return try decoding("log entry \(position)") { () throws(WireError) in
            guard let bytes else { throw WireError(.truncated) }
            var entry = try LogEntry(decoding: bytes)
            guard case .delta(let sealed) = entry.body else { throw WireError(.unexpected) }
            let header = sealed.claimedHeader
            let sequences = selection.sequences(in: header)
            // Most deltas of few operations are shown as they lie; only the others are worth a signature's check.
            guard sequences.count + entry.refusals.count < header.count else { return entry }
            let kept = Set(sequences)
            let pruned = try sealed.verified(primitives).pruned(
                keeping: { kept.contains(header.firstSequence + UInt64($0)) }, primitives)
            entry.body = .delta(pruned.sealed)
            return entry
        }
    }

    /// First sequences of the sealed deltas.
    private func outbox() throws(StoreError) -> [UInt64] {
        var firsts: [UInt64] = []
        try SpaceLoader(view: view).scan(from: [], until: nil, in: .sealed, "sealed outbox") { key, _ in
            firsts.append(RecordKey.number(from: key))
            return true
        }
        return firsts
    }

    private func sealedDelta(_ first: UInt64) throws(StoreError) -> SealedDelta {
        let bytes = try storing { () throws(StorageError) in try view.load([RecordKey.number(first)], from: .sealed)[0] }
        return try decoding("sealed outbox") { () throws(WireError) in
            guard let bytes else { throw WireError(.truncated) }
            return try CommitRecord.decodeSealed(bytes, first: first).1
        }
    }
}

extension PivotSpace {
    /// A bundle of the present state; nil while the log is empty.
    public func export() throws(StoreError) -> SpaceExport? {
        let view = try storing { () throws(StorageError) in try engine.view() }
        guard let last = try storing({ () throws(StorageError) in try view.last(.checkpoints, below: RecordKey.number(.max)) })
        else { return nil }
        return try decoding("checkpoint") { () throws(WireError) in
            let checkpoint = try SignedPayload(decoding: signedCheckpoint(try Checkpoint(decoding: last.value)))
            return SpaceExport(view: view, space: space, certificate: certificate, checkpoint: checkpoint)
        }
    }
}

extension NodeSpace {
    /// A bundle of the present base; nil before the first page is in. Throws when the pivot's certificate is not stored: then
    /// nothing can be proven, and a caller that is about to wipe must not.
    public func export() throws(StoreError) -> SpaceExport? {
        let view = try storing { () throws(StorageError) in try engine.view() }
        guard let checkpoint = try SpaceLoader(view: view).nodeRecord()?.checkpoint else { return nil }
        guard let certificate = try certificate else {
            throw .damaged(record: "certificate", WireError(.truncated, at: 0, "there is none"))
        }
        return SpaceExport(view: view, space: space, certificate: certificate, checkpoint: checkpoint)
    }
}
