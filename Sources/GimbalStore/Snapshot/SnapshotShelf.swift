import GimbalCRDT
import GimbalReplication
import GimbalStorage
import GimbalWire
import Synchronization

/// The snapshots that a pivot is sending: nodes that come at about the same time share one, and one that was cut off finds its
/// own again for a while. Each holds a view of the storage, and the horizon.
final class SnapshotShelf: Sendable {
    private struct Item {
        var source: SnapshotSource
        var readers = 0
        var madeMilliseconds: UInt64
        var usedMilliseconds: UInt64
    }

    private let items = Mutex<[Item]>([])
    /// Two nodes that come at once wait for one picture.
    private let making = Mutex(())

    /// How long a snapshot that nobody reads waits for a node that was cut off, and how old one may be for a node that begins.
    private let keptMilliseconds: UInt64

    init(keptMilliseconds: UInt64) { self.keptMilliseconds = keptMilliseconds }

    /// The snapshot of this checkpoint, if it is still here. Its count of readers goes up by one.
    func find(_ cursor: Cursor, now: UInt64) -> SnapshotSource? {
        take(now: now) { $0.source.checkpoint.cursor == cursor }
    }

    /// A recent snapshot, made if there is none. Its count of readers goes up by one.
    func recent(now: UInt64, make: () throws(StoreError) -> SnapshotSource) throws(StoreError) -> SnapshotSource {
        try making.withLock { _ throws(StoreError) in
            if let known = take(now: now, where: { now < $0.madeMilliseconds + keptMilliseconds }) { return known }
            let source = try make()
            items.withLock {
                $0.append(Item(source: source, readers: 1, madeMilliseconds: now, usedMilliseconds: now))
            }
            return source
        }
    }

    private func take(now: UInt64, where isWanted: (Item) -> Bool) -> SnapshotSource? {
        items.withLock { items in
            guard let index = items.lastIndex(where: isWanted) else { return nil }
            items[index].readers += 1
            items[index].usedMilliseconds = now
            return items[index].source
        }
    }

    func release(_ source: SnapshotSource, now: UInt64) {
        items.withLock { items in
            guard let index = items.firstIndex(where: { $0.source === source }) else { return }
            items[index].readers -= 1
            items[index].usedMilliseconds = now
        }
    }

    /// The least position of those that are here; nil for none. Puts away those that nobody came back for.
    func heldPosition(now: UInt64) -> UInt64? {
        items.withLock { items in
            items.removeAll { $0.readers == 0 && $0.usedMilliseconds + keptMilliseconds < now }
            return items.map(\.source.checkpoint.position).min()
        }
    }

    var readerCount: Int { items.withLock { $0.reduce(0) { $0 + $1.readers } } }

    func removeAll() { items.withLock { $0 = [] } }
}
