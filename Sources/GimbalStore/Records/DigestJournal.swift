import GimbalStorage
import GimbalWire

/// Keeps the state digest on disk with one write a commit: the buckets that changed go into a ring of records, and the whole
/// digest is written each time the ring is full.
package struct DigestJournal: Sendable {
    private static let ringSize: UInt64 = 64

    /// Commits that were recorded.
    package private(set) var count: UInt64 = 0

    package init() {}

    /// Adds what one commit changed. Keep the returned journal once the commit is on disk.
    package func adding(_ buckets: [(index: Int, bytes: [UInt8])], of digest: StateDigest, to batch: inout StorageBatch)
        -> DigestJournal
    {
        var next = self
        next.count += 1
        var writer = CBORWriter(reserving: buckets.count * 70 + 16)
        if next.count.isMultiple(of: Self.ringSize) {
            writer.array(count: 2)
            writer.unsigned(next.count)
            writer.byteString(digest.allBytes)
            batch.put(writer.bytes, at: RecordKey.digest, in: .metadata)
        } else {
            writer.array(count: 1 + buckets.count * 2)
            writer.unsigned(next.count)
            for (index, bytes) in buckets {
                writer.unsigned(index)
                writer.byteString(bytes)
            }
            batch.put(writer.bytes, at: RecordKey.digestRing(next.count % Self.ringSize), in: .metadata)
        }
        return next
    }

    /// Another digest altogether. Keep the returned journal once the commit is on disk.
    package func replacing(_ digest: StateDigest, in batch: inout StorageBatch) -> DigestJournal {
        var next = self
        next.count = (count / Self.ringSize + 1) * Self.ringSize - 1
        return next.adding([], of: digest, to: &batch)
    }

    /// Reads the digest back: the last whole one and what changed since, which must be there without a gap.
    package static func load(_ view: any StorageView) throws(StoreError) -> (DigestJournal, StateDigest) {
        var digest = StateDigest()
        var journal = DigestJournal()
        let stored = try storing { () throws(StorageError) in
            try view.load([RecordKey.digest] + (0..<ringSize).map(RecordKey.digestRing), from: .metadata)
        }
        try decoding("state digest") { () throws(WireError) in
            if let whole = stored[0] {
                var reader = CBORReader(whole)
                try reader.array(of: 2)
                journal.count = try reader.ordinal()
                guard digest.restoreAll(from: try reader.byteString()) else { throw WireError(.truncated) }
            }
            var changes: [UInt64: CBORReader] = [:]
            var itemCounts: [UInt64: Int] = [:]
            for record in stored.dropFirst().compactMap({ $0 }) {
                var reader = CBORReader(record)
                let items = try reader.arrayCount(upTo: 1 + StateDigest.bucketCount * 2, "buckets")
                let count = try reader.ordinal()
                guard count > journal.count else { continue }
                changes[count] = reader
                itemCounts[count] = items / 2
            }
            for count in changes.keys.sorted() {
                guard count == journal.count + 1, var reader = changes[count] else { throw WireError(.inconsistent) }
                for _ in 0..<(itemCounts[count] ?? 0) {
                    let index = try reader.count(upTo: StateDigest.bucketCount - 1, "bucket")
                    guard digest.restoreBucket(index, from: try reader.byteString()) else { throw WireError(.truncated) }
                }
                journal.count = count
            }
        }
        return (journal, digest)
    }
}
