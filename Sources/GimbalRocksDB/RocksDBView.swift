import CRocksDB
import GimbalStorage

/// A RocksDB snapshot, released with this object.
///
/// `@unchecked Sendable`: the pointers never change, RocksDB reads through both from any thread at once, and they
/// are freed in `deinit` only, when no reader is left.
final class RocksDBView: StorageView, @unchecked Sendable {
    private let reader: RocksDBReader
    private let snapshot: OpaquePointer
    private let isStaged: Bool
    private let generation: Int

    /// Called while the database is open.
    ///
    /// - Parameter isStaged: shows the staging area.
    init(_ handle: RocksDBHandle, isStaged: Bool = false) throws(StorageError) {
        generation = handle.generation
        snapshot = handle.takeSnapshot()
        guard let options = rocksdb_readoptions_create() else {
            preconditionFailure("RocksDB gave no options; it only allocates")
        }
        rocksdb_readoptions_set_snapshot(options, snapshot)
        // Read in the snapshot itself: an install may be under way.
        let used = try SectionSetRecord.read(
            RocksDBReader(handle: handle, options: options, snapshot: snapshot, set: .first))
        reader = RocksDBReader(handle: handle, options: options, snapshot: snapshot, set: isStaged ? used.other : used)
        self.isStaged = isStaged
    }

    deinit {
        // When the engine is closed, or was opened again, that has released the snapshot.
        try? reader.handle.whileOpen {
            if reader.handle.generation == generation { reader.handle.release(snapshot) }
        }
        rocksdb_readoptions_destroy(reader.options)
    }

    func load(_ keys: [[UInt8]], from section: Section) throws(StorageError) -> [[UInt8]?] {
        try whileValid { () throws(StorageError) in
            shows(section) ? try reader.load(keys, from: section) : keys.map { _ in nil }
        }
    }

    func scan(
        _ section: Section, from lower: [UInt8], until upper: [UInt8]?,
        _ visit: (_ key: [UInt8], _ value: [UInt8]) throws(StorageError) -> Bool
    ) throws(StorageError) {
        try whileValid { () throws(StorageError) in
            if shows(section) { try reader.scan(section, from: lower, until: upper, visit) }
        }
    }

    private func whileValid<Result>(_ body: () throws(StorageError) -> Result) throws(StorageError) -> Result {
        try reader.handle.whileOpen { () throws(StorageError) in
            guard reader.handle.generation == generation else { throw .closed }
            return try body()
        }
    }

    private func shows(_ section: Section) -> Bool { !isStaged || Section.replaceable.contains(section) }

    func last(_ section: Section, below upper: [UInt8]) throws(StorageError) -> (key: [UInt8], value: [UInt8])? {
        try whileValid { () throws(StorageError) in
            shows(section) ? try reader.last(section, below: upper) : nil
        }
    }
}
