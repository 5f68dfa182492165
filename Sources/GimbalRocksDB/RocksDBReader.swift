import CRocksDB
import GimbalStorage

/// Reads with given options: the latest commit or a snapshot. The caller keeps both alive and the database open.
struct RocksDBReader {
    let handle: RocksDBHandle
    /// Without bounds; scans add them to options of their own.
    let options: OpaquePointer
    var snapshot: OpaquePointer?
    /// Of the replaceable sections.
    var set: SectionSet

    // MARK: - Values

    func get(_ key: [UInt8], from family: OpaquePointer) throws(StorageError) -> [UInt8]? {
        // Pinned: the value is copied once, from RocksDB's block into the result.
        let slice = try attempt { rocksdb_get_pinned_cf(handle.database, options, family, key, key.count, $0) }
        return slice.map(Self.take)
    }

    /// All from one moment: RocksDB reads the keys of one call at one sequence number.
    func get(_ keys: [[UInt8]], from family: OpaquePointer) throws(StorageError) -> [[UInt8]?] {
        let count = keys.count
        let lengths = keys.map(\.count)
        let joined = keys.flatMap(\.self)
        var slices = [OpaquePointer?](repeating: nil, count: count)
        var failures = [UnsafeMutablePointer<CChar>?](repeating: nil, count: count)
        joined.withUnsafeBytes { joined in
            let base = joined.baseAddress?.assumingMemoryBound(to: CChar.self)
            var offset = 0
            let starts = lengths.map { length in
                defer { offset += length }
                return base.map { UnsafePointer($0 + offset) }
            }
            rocksdb_batched_multi_get_cf(
                handle.database, options, family, count, starts, lengths, &slices, &failures, false)
        }
        let values = slices.map { $0.map(Self.take) }
        var failure: StorageError?
        for message in failures {
            guard let message else { continue }
            failure = failure ?? StorageError(rocksDB: String(cString: message), folder: "")
            rocksdb_free(message)
        }
        if let failure { throw failure }
        return values
    }

    /// Copies the value and gives the slice back.
    static func take(_ slice: OpaquePointer) -> [UInt8] {
        defer { rocksdb_pinnableslice_destroy(slice) }
        var count = 0
        let bytes = rocksdb_pinnableslice_value(slice, &count)
        return [UInt8](UnsafeRawBufferPointer(start: bytes, count: count))
    }

    // MARK: - Ranges

    /// The bounds and the keys given to `visit` are as stored.
    func scan(
        _ family: OpaquePointer, from lower: [UInt8], until upper: [UInt8]?, keepsBlocks: Bool,
        _ visit: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(StorageError) -> Bool
    ) throws(StorageError) {
        try withIterator(family, from: lower, until: upper, keepsBlocks: keepsBlocks) { iterator throws(StorageError) in
            rocksdb_iter_seek(iterator, lower, lower.count)
            while rocksdb_iter_valid(iterator) != 0 {
                guard try visit(Self.key(iterator), Self.value(iterator)) else { return }
                rocksdb_iter_next(iterator)
            }
            try attempt { rocksdb_iter_get_error(iterator, $0) }
        }
    }

    /// The entry with the greatest key in `lower..<upper`, as stored.
    func last(
        _ family: OpaquePointer, from lower: [UInt8], below upper: [UInt8]
    ) throws(StorageError) -> (key: [UInt8], value: [UInt8])? {
        try withIterator(family, from: lower, until: nil, keepsBlocks: true) { iterator throws(StorageError) in
            rocksdb_iter_seek_for_prev(iterator, upper, upper.count)
            if rocksdb_iter_valid(iterator) != 0, Self.key(iterator).elementsEqual(upper) {
                rocksdb_iter_prev(iterator)
            }
            guard rocksdb_iter_valid(iterator) != 0 else {
                try attempt { rocksdb_iter_get_error(iterator, $0) }
                return nil
            }
            return ([UInt8](Self.key(iterator)), [UInt8](Self.value(iterator)))
        }
    }

    func isEmpty(_ family: OpaquePointer) throws(StorageError) -> Bool {
        var isEmpty = true
        try scan(family, from: [], until: nil, keepsBlocks: false) { _, _ in
            isEmpty = false
            return false
        }
        return isEmpty
    }

    private func withIterator<Result>(
        _ family: OpaquePointer, from lower: [UInt8], until upper: [UInt8]?, keepsBlocks: Bool,
        _ body: (OpaquePointer?) throws(StorageError) -> Result
    ) throws(StorageError) -> Result {
        let options = rocksdb_readoptions_create()
        defer { rocksdb_readoptions_destroy(options) }
        if let snapshot { rocksdb_readoptions_set_snapshot(options, snapshot) }
        rocksdb_readoptions_set_fill_cache(options, keepsBlocks ? 1 : 0)
        // The options keep the addresses of the bounds, so those stay in place until the iterator is gone.
        return try lower.withUnsafeBufferPointer { lower throws(StorageError) in
            if lower.count > 0 { rocksdb_readoptions_set_iterate_lower_bound(options, lower.baseAddress, lower.count) }
            return try (upper ?? []).withUnsafeBufferPointer { bound throws(StorageError) in
                if upper != nil { rocksdb_readoptions_set_iterate_upper_bound(options, bound.baseAddress, bound.count) }
                let iterator = rocksdb_create_iterator_cf(handle.database, options, family)
                defer { rocksdb_iter_destroy(iterator) }
                return try body(iterator)
            }
        }
    }

    private static func key(_ iterator: OpaquePointer?) -> UnsafeRawBufferPointer {
        var count = 0
        let bytes = rocksdb_iter_key(iterator, &count)
        return UnsafeRawBufferPointer(start: bytes, count: count)
    }

    private static func value(_ iterator: OpaquePointer?) -> UnsafeRawBufferPointer {
        var count = 0
        let bytes = rocksdb_iter_value(iterator, &count)
        return UnsafeRawBufferPointer(start: bytes, count: count)
    }
}
