import CRocksDB
import GimbalStorage
import Synchronization

/// An open database: its pointers, and the promise that none is used after it is closed.
///
/// `@unchecked Sendable`: RocksDB allows calls on one database, its families and constant options from any thread
/// at once; the pointers themselves never change; `close` frees them only after the gate has let the last
/// operation out.
final class RocksDBHandle: @unchecked Sendable {
    let database: OpaquePointer
    /// In the order of `Family`.
    private let families: [OpaquePointer]
    /// For reads of the latest commit.
    let readOptions: OpaquePointer
    private let writeOptions: OpaquePointer
    /// How files of new entries are written.
    let tuning: RocksDBTuning
    let folder: String
    /// Which set of sections is in use.
    let sets: SectionSets
    let gate = OperationGate()
    private let isClosed = Mutex(false)
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
        isClosed.withLock { isClosed in
            if isClosed { return }
            isClosed = true
            gate.shut()
            for address in snapshots.withLock({ $0 }) {
                rocksdb_release_snapshot(database, OpaquePointer(bitPattern: address))
            }
            rocksdb_readoptions_destroy(readOptions)
            rocksdb_writeoptions_destroy(writeOptions)
            for family in families { rocksdb_column_family_handle_destroy(family) }
            rocksdb_close(database)
        }
    }

    /// Runs `body` while the database cannot be closed.
    @inline(__always)
    func whileOpen<Result>(_ body: () throws(StorageError) -> Result) throws(StorageError) -> Result {
        try gate.enter()
        defer { gate.leave() }
        return try body()
    }

    func pointer(_ family: Family) -> OpaquePointer { families[family.rawValue] }

    // The following are called while open.

    /// Durable on return: the write-ahead log is synchronised before RocksDB answers.
    func write(_ batch: OpaquePointer?) throws(StorageError) {
        try attempt { rocksdb_write(database, writeOptions, batch, $0) }
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
    ) throws(StorageError) -> (database: OpaquePointer, families: [OpaquePointer]) {
        let names = Family.allCases.map { UnsafeRawPointer($0.name.utf8Start).assumingMemoryBound(to: CChar.self) }
        var handles = [OpaquePointer?](repeating: nil, count: names.count)
        let options = tuning.families
        let database: OpaquePointer?
        do throws(StorageError) {
            database = try attempt(in: folder) { failure in
                rocksdb_open_column_families(
                    options[0], folder, Int32(names.count), names.map(Optional.init), options, &handles, failure)
            }
        } catch .failed(let reason) {
            // Families that this program does not know are what a later version would have added.
            if reason.contains("Column families not opened") { try RocksDBFormat.checkUnknown(folder, options[0]) }
            // Nothing that an open needs may be missing once there is a file CURRENT.
            if reason.contains("No such file or directory") { throw .corrupt(reason: reason) }
            throw .failed(reason: reason)
        }
        guard let database else { preconditionFailure("RocksDB gave neither a database nor an error") }
        return (database, handles.compactMap(\.self))
    }
}
