import CRocksDB
import GimbalStorage
import Glibc
import Synchronization

/// The embedded engine: one folder, one process, every commit on disk before it returns.
///
/// A commit is one record of RocksDB's write-ahead log over all sections, synchronised with fdatasync. After a write that failed,
/// by a full disk or anything else, reads go on and no write is taken until `recover` has closed the database and opened it
/// again, which it does as soon as the folder can be written.
public final class RocksDBEngine: StorageEngine {
    let handle: RocksDBHandle
    private let recovering = Mutex(())

    /// Opens the database in `folder`, or creates it; the folder's parent must exist.
    ///
    /// Throws `.locked` when another engine, of this process or another, has it open; `.notWritable`, `.full`,
    /// `.corrupt` and `.newerFormat` as they say.
    public init(folder: String, options: RocksDBOptions = .init()) throws(StorageError) {
        handle = try RocksDBHandle(folder: folder, options: options)
    }

    public func commit(_ batch: StorageBatch) throws(StorageError) {
        try handle.whileOpen { () throws(StorageError) in
            if batch.changes.isEmpty { return }
            let changes = Self.changes(withRoomFor: batch)
            defer { rocksdb_writebatch_destroy(changes) }
            add(batch, to: changes, in: handle.sets.used)
            try handle.writes.write { () throws(StorageError) in try handle.write(changes) }
        }
    }

    /// No changes yet. A large batch has its room from the beginning, since growing copies it into fresh pages again and again:
    /// RocksDB keeps the room of what it was created from and cleared of. Only pages that are written to are real.
    static func changes(withRoomFor batch: StorageBatch) -> OpaquePointer? {
        let bytes = batch.changes.reduce(64) { $0 + $1.key.count + ($1.value?.count ?? 0) + 16 }
        guard bytes > 1 << 20, let zeros = calloc(bytes, 1) else { return rocksdb_writebatch_create() }
        defer { free(zeros) }
        let changes = rocksdb_writebatch_create_from(zeros, bytes)
        rocksdb_writebatch_clear(changes)
        return changes
    }

    func add(_ batch: StorageBatch, to changes: OpaquePointer?, in set: SectionSet) {
        for (section, key, value) in batch.changes {
            let place = section.place(set)
            let family = handle.pointer(place.family)
            let key = place.stored(key)
            if let value {
                rocksdb_writebatch_put_cf(changes, family, key, key.count, value, value.count)
            } else {
                rocksdb_writebatch_delete_cf(changes, family, key, key.count)
            }
        }
    }

    public func view() throws(StorageError) -> any StorageView {
        try handle.whileOpen { () throws(StorageError) in try RocksDBView(handle) }
    }

    public func load(_ keys: [[UInt8]], from section: Section) throws(StorageError) -> [[UInt8]?] {
        // Reads in parts are of one moment only in a view.
        if keys.count > RocksDBReader.keysPerRead { return try view().load(keys, from: section) }
        return try handle.whileOpen { () throws(StorageError) in
            try handle.sets.reading { set throws(StorageError) in try latest(set).load(keys, from: section) }
        }
    }

    /// `visit` may read and commit; it must not close the engine, which would wait for the scan to end.
    public func scan(
        _ section: Section, from lower: [UInt8], until upper: [UInt8]?,
        _ visit: (_ key: [UInt8], _ value: [UInt8]) throws(StorageError) -> Bool
    ) throws(StorageError) {
        try handle.whileOpen { () throws(StorageError) in
            // What has begun in one set ends in it: the iterator is of one moment.
            try latest(handle.sets.used).scan(section, from: lower, until: upper, visit)
        }
    }

    public func last(_ section: Section, below upper: [UInt8]) throws(StorageError) -> (key: [UInt8], value: [UInt8])? {
        try handle.whileOpen { () throws(StorageError) in
            try handle.sets.reading { set throws(StorageError) in try latest(set).last(section, below: upper) }
        }
    }

    public func onTrouble(_ listener: @escaping @Sendable (StorageTrouble) -> Void) { handle.writes.onTrouble(listener) }

    /// Waits for calls that are under way; those that come meanwhile fail with `.recovering`. The database is closed only once a
    /// file could be written, so that reads go on until then.
    public func recover() throws(StorageError) {
        try recovering.withLock { _ throws(StorageError) in
            guard handle.writes.isOff else { return }
            try Folder(path: handle.folder).checkWritable()
            try handle.reopen()
            handle.writes.turnOn()
        }
    }

    /// Waits for calls that are under way. A view that is still held fails with `.closed` from now on.
    public func close() {
        handle.close()
    }

    /// Writes a consistent copy of the database into `folder`, which must not exist, while reads and commits go on.
    ///
    /// Data files are hard links on the same file system, so it costs little time and no space at first. The copy
    /// has every commit that returned before the call, and opens like any other folder.
    public func checkpoint(to folder: String) throws(StorageError) {
        try handle.whileOpen { () throws(StorageError) in
            let checkpoint = try attempt { rocksdb_checkpoint_object_create(handle.database, $0) }
            defer { rocksdb_checkpoint_object_destroy(checkpoint) }
            // 0: what is only in memory is written to files first, so that the copy opens without a replay.
            try attempt { rocksdb_checkpoint_create(checkpoint, folder, 0, $0) }
        }
    }

    /// RocksDB's properties, by its names; those of one family begin with that. Empty when closed.
    public var statistics: [(name: String, value: UInt64)] {
        (try? handle.whileOpen { RocksDBStatistics(handle: handle).values }) ?? []
    }

    private func latest(_ set: SectionSet) -> RocksDBReader {
        RocksDBReader(handle: handle, options: handle.readOptions, set: set)
    }
}
