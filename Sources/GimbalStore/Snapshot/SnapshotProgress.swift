import GimbalCRDT
import GimbalReplication
import GimbalStorage
import GimbalWire

/// How far a snapshot is staged, as it is stored beside the staged sections: enough to go on after a crash.
struct SnapshotProgress: Sendable {
    var head: SnapshotHead
    /// Position of the last entry that is staged, and how many there are.
    var after: UInt64 = 0
    var entries: UInt64 = 0
    /// Whether all entries are in; not stored: what comes after them is small.
    var isEntriesDone = false
    /// Of the live operations in them.
    var digest = StateDigest()
    var greatestStamp = HybridTimestamp.zero
    /// The space's own records, as their operations so far leave them.
    var records: [Path: PathState] = [:]

    init(head: SnapshotHead) { self.head = head }

    var encoded: [UInt8] {
        var writer = CBORWriter()
        writer.array(count: 6)
        SnapshotItem.head(head).encode(into: &writer)
        writer.unsigned(after)
        writer.unsigned(entries)
        writer.byteString(digest.allBytes)
        writer.stamp(greatestStamp)
        writer.array(count: records.count * 2)
        for (path, state) in records.sorted(by: { $0.key < $1.key }) {
            writer.text(utf8: path.bytes)
            writer.encoded(StateRecord.encode(state))
        }
        return writer.bytes
    }

    init(decoding bytes: [UInt8]) throws(WireError) {
        var reader = CBORReader(bytes)
        try reader.array(of: 6)
        guard case .head(let head) = try SnapshotItem(from: &reader, isFirst: true) else { throw WireError(.unexpected) }
        self.head = head
        after = try reader.ordinal()
        entries = try reader.ordinal()
        guard digest.restoreAll(from: try reader.byteString()) else { throw WireError(.truncated) }
        greatestStamp = try reader.stamp()
        for _ in 0..<(try reader.arrayCount(upTo: Int.max, "records") / 2) {
            guard let path = Path(reader.bytes[try reader.textRange()]) else { throw WireError(.badPath) }
            records[path] = try StateRecord.decode(reader.bytes, try reader.skip(), at: path)
        }
        try reader.expectEnd()
    }

    /// Nil when nothing is staged, and where what is staged cannot be read: nobody sees it yet, and another is taken.
    static func load(_ view: any StorageView) throws(StoreError) -> SnapshotProgress? {
        let bytes = try storing { () throws(StorageError) in try view.load([RecordKey.intake], from: .metadata)[0] }
        return bytes.flatMap { try? SnapshotProgress(decoding: $0) }
    }
}
