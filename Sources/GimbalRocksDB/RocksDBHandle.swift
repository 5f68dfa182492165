import CRocksDB
import GimbalStorage
import Synchronization

/// An open database: its pointers, and the promise that none is used after it is closed.
///
/// `@unchecked Sendable`: RocksDB allows calls on one database, its families and constant options from any thread
/// at once; the pointers change, and are freed, only while the gate is shut, after it has let the last operation out.
final class RocksDBHandle: @unchecked Sendable {
    @exclusivity(unchecked) private(set) var database: OpaquePointer
    /// In the order of `Family`.
    @exclusivity(unchecked) private var families: [OpaquePointer]
    /// How often it was opened again: what was made of an earlier opening is not valid any more.
    @exclusivity(unchecked) private(set) var generation = 0
    /// For reads of the latest commit.
    let readOptions: OpaquePointer
    private let writeOptions: OpaquePointer
    /// How files of new entries are written.
    let tuning: RocksDBTuning
    let folder: String
    /// Which set of sections is in use.
    let sets: SectionSets
    let gate = OperationGate()
    let writes = WriteSwitch()
    private enum Life { case open, broken, closed }
    private let life = Mutex(Life.open)
    /// Addresses of the snapshots that views hold. Closing releases those that are left.
    private let snapshots = Mutex(Set<UInt>())

    init(folder: String, options: RocksDBOptions) throws(StorageError) {
        let tuning = RocksDBTuning(options)
        let folders = Folder(path: folder)
        try folders.create()
        try folders.refuseHeadlessData()
        (database, families) = try Self.open(folder, tuning)
        guard let readOptions = rocksdb_readoptions_create(), let writeOptions = rocksdb_writeoptions_create() else {
            preconditionFailure("RocksDB gave no options; it only allocates")
        }
        self.readOptions = readOptions
        self.writeOptions = writeOptions
        rocksdb_writeoptions_set_sync(writeOptions, 1)
        self.tuning = tuning
        self.folder = folder
        sets = SectionSets()
        try RocksDBFormat.check(self)
        sets.opened(with: try SectionSetRecord.read(RocksDBReader(handle: self, options: readOptions, set: .first)))
        StagedFile.removeLeftOvers(in: folder)
    }

    deinit {
        close()
    }

    /// Waits for the operations that are under way; a second caller waits for the first.
    func close() {
        life.withLock { life in
            if life == .closed { return }
            gate.shut(.closed)
            if life == .open { closeDatabase() }
            life = .closed
            rocksdb_readoptions_destroy(readOptions)
            rocksdb_writeoptions_destroy(writeOptions)
        }
    }

    /// Closes the database and opens it anew, which forgets every error that RocksDB keeps until then. Waits for the operations
    /// that are under way; those that come meanwhile fail with `.recovering`.
    ///
    /// Throws when it cannot be opened for writing. Then it is open for reading if that is possible.
    func reopen() throws(StorageError) {
        try life.withLock { life throws(StorageError) in
            if life == .closed { throw .closed }
            // One that has begun ends at once: nobody waits for it with the gate shut.
            if life == .open { rocksdb_disable_manual_compaction(database) }
            gate.shut(.recovering)
            if life == .open { closeDatabase() }
            generation += 1
            do throws(StorageError) {
                try open(Self.open)
                life = .open
                gate.open()
            } catch {
                life = .broken
                let cause = error
                do throws(StorageError) {
                    try open(Self.openForReading)
                    life = .open
                    gate.open()
                } catch {
                    gate.shut(cause)
                }
                throw cause
            }
        }
    }

    private func open(
        _ open: (String, borrowing RocksDBTuning) throws(StorageError) -> (OpaquePointer, [OpaquePointer])
    ) throws(StorageError) {
        (database, families) = try open(folder, tuning)
        do throws(StorageError) {
            sets.opened(with: try SectionSetRecord.read(RocksDBReader(handle: self, options: readOptions, set: .first)))
        } catch {
            closeDatabase()
            throw error
        }
    }

    /// While nobody is inside.
    private func closeDatabase() {
        let left = snapshots.withLock { snapshots in
            defer { snapshots = [] }
            return snapshots
        }
        for address in left { rocksdb_release_snapshot(database, OpaquePointer(bitPattern: address)) }
        for family in families { rocksdb_column_family_handle_destroy(family) }
        rocksdb_close(database)
    }

    /// Runs `body` while the database cannot be closed. Damage that it meets is told.
    @inline(__always)
    func whileOpen<Result>(_ body: () throws(StorageError) -> Result) throws(StorageError) -> Result {
        try gate.enter()
        defer { gate.leave() }
        do throws(StorageError) {
            return try body()
        } catch {
            if case .corrupt = error { writes.tell(.damage(error)) }
            throw error
        }
    }

    func pointer(_ family: Family) -> OpaquePointer { families[family.rawValue] }

    // The following are called while open.

    /// Durable on return: the write-ahead log is synchronised before RocksDB answers.
    ///
    /// Throws `.uncertain` when the batch may be in the write-ahead log all the same. It is not when the log did not take all of
    /// its bytes, or no new log could be made for them: a record that is cut off is none.
    func write(_ batch: OpaquePointer?) throws(StorageError) {
        do throws(StorageError) {
            try attempt { rocksdb_write(database, writeOptions, batch, $0) }
        } catch {
            throw error.isBeforeTheLog ? error : .uncertain(error)
        }
    }

    /// How many flushes and compactions have failed since it was opened.
    var backgroundErrors: UInt64 {
        var count: UInt64 = 0
        _ = rocksdb_property_int(database, "rocksdb.background-errors", &count)
        return count
    }

    func takeSnapshot() -> OpaquePointer {
        guard let snapshot = rocksdb_create_snapshot(database) else {
            preconditionFailure("RocksDB gave no snapshot; it refuses one only with in-place updates, which are off")
        }
        snapshots.withLock { _ = $0.insert(UInt(bitPattern: snapshot)) }
        return snapshot
    }

    func release(_ snapshot: OpaquePointer) {
        snapshots.withLock { _ = $0.remove(UInt(bitPattern: snapshot)) }
        rocksdb_release_snapshot(database, snapshot)
    }

    // MARK: - Opening

    private static func open(
        _ folder: String, _ tuning: borrowing RocksDBTuning
    ) throws(StorageError) -> (OpaquePointer, [OpaquePointer]) {
        let options = tuning.families
        do throws(StorageError) {
            return try opening(folder) { count, names, handles, failure in
                rocksdb_open_column_families(options[0], folder, count, names, options, handles, failure)
            }
        } catch .failed(let reason) {
            // Families that this program does not know are what a later version would have added.
            if reason.contains("Column families not opened") { try RocksDBFormat.checkUnknown(folder, options[0]) }
            // Nothing that an open needs may be missing once there is a file CURRENT.
            if reason.contains("No such file or directory") { throw .corrupt(reason: reason) }
            throw .failed(reason: reason)
        }
    }

    /// Writes nothing: for a storage that takes nothing.
    private static func openForReading(
        _ folder: String, _ tuning: borrowing RocksDBTuning
    ) throws(StorageError) -> (OpaquePointer, [OpaquePointer]) {
        let options = tuning.families
        return try opening(folder) { count, names, handles, failure in
            rocksdb_open_for_read_only_column_families(options[0], folder, count, names, options, handles, 0, failure)
        }
    }

    private static func opening(
        _ folder: String,
        _ open: (
            Int32, [UnsafePointer<CChar>?], UnsafeMutablePointer<OpaquePointer?>,
            UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
        ) -> OpaquePointer?
    ) throws(StorageError) -> (OpaquePointer, [OpaquePointer]) {
        let names = Family.allCases.map { UnsafeRawPointer($0.name.utf8Start).assumingMemoryBound(to: CChar.self) }
        var handles = [OpaquePointer?](repeating: nil, count: names.count)
        let database = try attempt(in: folder) { failure in
            open(Int32(names.count), names.map(Optional.init), &handles, failure)
        }
        guard let database else { preconditionFailure("RocksDB gave neither a database nor an error") }
        return (database, handles.compactMap(\.self))
    }
}
