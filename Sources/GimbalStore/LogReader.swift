import GimbalCRDT
import GimbalReplication
import GimbalStorage
import GimbalWire

/// Reads the stored log in the stretches that pages are made of.
struct LogReader: Sendable {
    let engine: any StorageEngine

    struct Stretch {
        /// `LogEntry` encodings, in order.
        var entries: [[UInt8]]
        /// Where they end.
        var checkpoint: Checkpoint
    }

    /// Nil where no commit of this log ended.
    func checkpoint(at position: UInt64) throws(StoreError) -> Checkpoint? {
        let bytes = try storing { () throws(StorageError) in
            try engine.load([RecordKey.number(position)], from: .checkpoints)[0]
        }
        guard let bytes else { return nil }
        return try decoding("checkpoint \(position)") { () throws(WireError) in try Checkpoint(decoding: bytes) }
    }

    /// Entries after a position, about `Page.targetBytes` of them, up to the end of a commit. Nil at the log's end, and where
    /// what follows is pruned.
    func stretch(
        after position: UInt64, receiptsFor replica: ReplicaID?, _ primitives: any Primitives
    ) throws(StoreError) -> Stretch? {
        var entries: [[UInt8]] = []
        var end: Checkpoint?
        let loader = SpaceLoader(view: try storing { () throws(StorageError) in try engine.view() })
        guard try position + 1 >= RetentionRecord.load(loader.view).horizon else { return nil }
        var bytes = 0
        // Commit by commit: a page ends where a commit ended.
        while bytes < Page.targetBytes {
            guard let checkpoint = try firstCheckpoint(after: end?.position ?? position, loader) else { break }
            try loader.scan(
                from: RecordKey.number((end?.position ?? position) + 1), until: RecordKey.number(checkpoint.position + 1),
                in: .log, "log"
            ) { _, value throws(WireError) in
                bytes += value.count
                entries.append(
                    try replica.map { replica throws(WireError) in try receipt(value, for: replica, primitives) } ?? value)
                return true
            }
            end = checkpoint
        }
        return end.map { Stretch(entries: entries, checkpoint: $0) }
    }

    func firstCheckpoint(after position: UInt64, _ loader: SpaceLoader) throws(StoreError) -> Checkpoint? {
        var found: Checkpoint?
        try loader.scan(from: RecordKey.number(position + 1), until: nil, in: .checkpoints, "checkpoints") {
            _, value throws(WireError) in
            found = try Checkpoint(decoding: value)
            return false
        }
        return found
    }

    /// The entry itself, or the receipt when the replica wrote it.
    private func receipt(_ bytes: [UInt8], for replica: ReplicaID, _ primitives: any Primitives) throws(WireError) -> [UInt8] {
        var entry = try LogEntry(decoding: bytes)
        guard case .delta(let delta) = entry.body, delta.claimedHeader.replica == replica else { return bytes }
        entry.body = .receipt(headerHash: delta.headerHash(primitives))
        return entry.encoded
    }
}
