import CRocksDB
import GimbalStorage
import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension RocksDBEngine {
    /// The run becomes a data file of its own, which the database takes over without writing it again.
    public func stage(_ run: StagedRun) throws(StorageError) {
        precondition(Section.replaceable.contains(run.section), "only replaceable sections can be staged")
        guard run.count > 0 else { return }
        try handle.whileOpen { () throws(StorageError) in
            let place = run.section.place(handle.sets.used.other)
            let file = try StagedFile(run, place, handle)
            defer { file.remove() }
            try handle.writes.write { () throws(StorageError) in
                // RocksDB may have met a full disk by itself, and helped itself since: then it does not survive an ingest.
                let failures = handle.backgroundErrors
                guard failures == 0 else {
                    throw .failed(reason: "RocksDB could not write in the background (\(failures) times)")
                }
                try file.ingest()
            }
        }
    }

    public func stagedView() throws(StorageError) -> any StorageView {
        try handle.whileOpen { () throws(StorageError) in try RocksDBView(handle, isStaged: true) }
    }

    /// Leaves the room on the disk to the next compaction.
    public func clearStaged() throws(StorageError) {
        try handle.whileOpen { () throws(StorageError) in
            let set = handle.sets.used.other
            let changes = rocksdb_writebatch_create()
            defer { rocksdb_writebatch_destroy(changes) }
            var isEmpty = true
            for section in Section.replaceable {
                guard let (first, last) = try bounds(section, set) else { continue }
                isEmpty = false
                let place = section.place(set)
                let (lower, upper) = (place.stored(first), place.stored(last) + [0])
                rocksdb_writebatch_delete_range_cf(
                    changes, handle.pointer(place.family), lower, lower.count, upper, upper.count)
            }
            if !isEmpty { try handle.writes.write { () throws(StorageError) in try handle.write(changes) } }
        }
    }

    /// Nil for an empty section.
    private func bounds(_ section: Section, _ set: SectionSet) throws(StorageError) -> (first: [UInt8], last: [UInt8])? {
        let reader = RocksDBReader(handle: handle, options: handle.readOptions, set: set)
        var first: [UInt8]?
        try reader.scan(section, from: [], until: nil) { key, _ in
            first = key
            return false
        }
        let place = section.place(set)
        guard let first else { return nil }
        let upper = place.storedEnd ?? [UInt8](repeating: 0xff, count: 1024)
        let last = try reader.last(handle.pointer(place.family), from: place.stored([]), below: upper)
        return (first, last.map { [UInt8]($0.key.dropFirst(place.prefixLength)) } ?? first)
    }

    public func install(_ batch: StorageBatch) throws(StorageError) {
        try handle.whileOpen { () throws(StorageError) in
            let changes = Self.changes(withRoomFor: batch)
            defer { rocksdb_writebatch_destroy(changes) }
            try handle.writes.write { () throws(StorageError) in
                try handle.sets.install { next throws(StorageError) in
                    SectionSetRecord.put(next, in: changes, handle)
                    add(batch, to: changes, in: next)
                    try handle.write(changes)
                }
            }
        }
    }

    /// Gives back the room on the disk that a cleared staging area took. Slow; reads and commits go on.
    public func compactStaged() throws(StorageError) {
        try handle.whileOpen {
            for section in [Section.state, .log] {
                rocksdb_compact_range_cf(
                    handle.database, handle.pointer(section.place(handle.sets.used.other).family), nil, 0, nil, 0)
            }
        }
    }
}

/// A sorted data file in the database's folder, until the database has taken it over.
struct StagedFile {
    static let suffix = ".staged"
    private static let number = Atomic<UInt64>(0)

    private let path: String
    private let place: SectionPlace
    private let handle: RocksDBHandle

    /// Writes the run; on return it is on disk.
    init(_ run: StagedRun, _ place: SectionPlace, _ handle: RocksDBHandle) throws(StorageError) {
        self.place = place
        self.handle = handle
        path = "\(handle.folder)/\(Self.number.wrappingAdd(1, ordering: .relaxed).newValue)\(Self.suffix)"
        let environment = rocksdb_envoptions_create()
        defer { rocksdb_envoptions_destroy(environment) }
        let writer = rocksdb_sstfilewriter_create(environment, handle.tuning.families[place.family.rawValue])
        defer { rocksdb_sstfilewriter_destroy(writer) }
        do throws(StorageError) {
            try attempt { rocksdb_sstfilewriter_open(writer, path, $0) }
            var stored: [UInt8] = []
            try run.forEach { key, value throws(StorageError) in
                stored.removeAll(keepingCapacity: true)
                if let prefix = place.prefix { stored.append(prefix) }
                stored.append(contentsOf: key)
                let bytes = value.baseAddress?.assumingMemoryBound(to: CChar.self)
                try attempt { failure in
                    stored.withUnsafeBytes { stored in
                        rocksdb_sstfilewriter_put(
                            writer, stored.baseAddress?.assumingMemoryBound(to: CChar.self), stored.count, bytes, value.count,
                            failure)
                    }
                }
            }
            try attempt { rocksdb_sstfilewriter_finish(writer, $0) }
        } catch {
            remove()
            throw error
        }
    }

    func ingest() throws(StorageError) {
        let options = rocksdb_ingestexternalfileoptions_create()
        defer { rocksdb_ingestexternalfileoptions_destroy(options) }
        rocksdb_ingestexternalfileoptions_set_move_files(options, 1)
        try attempt { failure in
            path.withCString { path in
                withUnsafePointer(to: Optional(path)) { paths in
                    rocksdb_ingest_external_file_cf(
                        handle.database, handle.pointer(place.family), paths, 1, options, failure)
                }
            }
        }
    }

    /// Once it is taken over, this name is one too many.
    func remove() { unlink(path) }

    /// What a crash left behind.
    static func removeLeftOvers(in folder: String) {
        for name in (try? Folder(path: folder).names()) ?? [] where name.hasSuffix(suffix) { unlink("\(folder)/\(name)") }
    }
}
