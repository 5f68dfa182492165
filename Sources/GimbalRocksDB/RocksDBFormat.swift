import CRocksDB
import GimbalStorage

/// The version of this layout of sections over families and keys, kept in the database.
enum RocksDBFormat {
    static let known: UInt32 = 1
    /// No section begins with this byte.
    private static let key: [UInt8] = [0xff] + Array("format".utf8)

    /// Marks a new database; refuses one of a later version, or one that is not ours.
    static func check(_ handle: RocksDBHandle) throws(StorageError) {
        let reader = RocksDBReader(handle: handle, options: handle.readOptions, set: .first)
        if let found = try reader.get(key, from: handle.pointer(.rest)) {
            return try refuseUnlessKnown(found)
        }
        // A crash may have come between the creation and the mark; then there is nothing else.
        for family in Family.allCases where try !reader.isEmpty(handle.pointer(family)) {
            throw .corrupt(reason: "the folder has a RocksDB database without Gimbal's format version")
        }
        try mark(known, handle)
    }

    static func mark(_ version: UInt32, _ handle: RocksDBHandle) throws(StorageError) {
        let batch = rocksdb_writebatch_create()
        defer { rocksdb_writebatch_destroy(batch) }
        let value = bytes(version)
        rocksdb_writebatch_put_cf(batch, handle.pointer(.rest), key, key.count, value, value.count)
        try handle.write(batch)
    }

    /// For a database with unknown families, which opens only for reading and only in part.
    static func checkUnknown(_ folder: String, _ options: OpaquePointer?) throws(StorageError) {
        let database = try attempt(in: folder) { rocksdb_open_for_read_only(options, folder, 0, $0) }
        defer { rocksdb_close(database) }
        let readOptions = rocksdb_readoptions_create()
        defer { rocksdb_readoptions_destroy(readOptions) }
        let slice = try attempt { rocksdb_get_pinned(database, readOptions, key, key.count, $0) }
        if let slice { try refuseUnlessKnown(RocksDBReader.take(slice)) }
    }

    private static func refuseUnlessKnown(_ value: [UInt8]) throws(StorageError) {
        guard value.count == 4 else { throw .corrupt(reason: "the format version has \(value.count) bytes, not 4") }
        let found = value.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        if found > known { throw .newerFormat(found: found, known: known) }
        if found == 0 { throw .corrupt(reason: "the format version is 0") }
    }

    private static func bytes(_ version: UInt32) -> [UInt8] {
        withUnsafeBytes(of: version.bigEndian) { [UInt8]($0) }
    }
}

extension RocksDBEngine {
    /// Makes the folder look as a later version might leave it, for the tests of what this one does then.
    package func pretendFormat(_ version: UInt32, addingFamily name: String? = nil) throws(StorageError) {
        try handle.whileOpen { () throws(StorageError) in
            try RocksDBFormat.mark(version, handle)
            guard let name else { return }
            let options = rocksdb_options_create()
            defer { rocksdb_options_destroy(options) }
            let family = try attempt { rocksdb_create_column_family(handle.database, options, name, $0) }
            rocksdb_column_family_handle_destroy(family)
        }
    }
}
