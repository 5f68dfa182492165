import GimbalCRDT
import GimbalWire
import Synchronization

/// The last pages at the log's end, built once for all who follow it there: with many followers reading and encoding the same
/// entries for each of them would be what a write costs.
final class SharedPages: Sendable {
    private struct Entry {
        var after: UInt64
        var end: UInt64
        var bytes: [UInt8]
        /// Who wrote what is in it: they get receipts instead.
        var writers: Set<ReplicaID>
    }

    private let entries = Mutex<[Entry]>([])

    /// Larger ones are for those who catch up, each at another place.
    private static let byteLimit = 64 << 10
    private static let count = 8

    /// The page after a position, if it was built before and shows nothing of this replica's.
    func page(after position: UInt64, for replica: ReplicaID?) -> (bytes: [UInt8], end: UInt64)? {
        entries.withLock { entries in
            guard let entry = entries.last(where: { $0.after == position }) else { return nil }
            if let replica, entry.writers.contains(replica) { return nil }
            return (entry.bytes, entry.end)
        }
    }

    func removeAll() { entries.withLock { $0 = [] } }

    /// Keeps a page, unless it is large or made for one follower alone.
    func add(_ stretch: LogReader.Stretch, after position: UInt64, _ bytes: [UInt8]) {
        guard bytes.count <= Self.byteLimit else { return }
        var writers: Set<ReplicaID> = []
        for entry in stretch.entries {
            guard let decoded = try? LogEntry(decoding: entry), case .delta(let delta) = decoded.body else { return }
            writers.insert(delta.claimedHeader.replica)
        }
        let entry = Entry(after: position, end: stretch.checkpoint.position, bytes: bytes, writers: writers)
        entries.withLock { entries in
            entries.removeAll { $0.after == position }
            entries.append(entry)
            if entries.count > Self.count { entries.removeFirst() }
        }
    }
}
