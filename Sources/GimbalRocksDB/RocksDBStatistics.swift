import CRocksDB

/// Properties of the open database, for people.
struct RocksDBStatistics {
    let handle: RocksDBHandle

    /// One number for the whole database; the cache is shared.
    private static let database = [
        "block-cache-capacity", "block-cache-usage", "block-cache-pinned-usage", "num-snapshots", "background-errors",
        "is-write-stopped", "actual-delayed-write-rate", "num-running-flushes", "num-running-compactions",
    ]

    private static let family = [
        "estimate-num-keys", "estimate-live-data-size", "total-sst-files-size", "cur-size-all-mem-tables",
        "size-all-mem-tables", "estimate-table-readers-mem", "estimate-pending-compaction-bytes",
    ]

    private static let levels = 7

    var values: [(name: String, value: UInt64)] {
        var values: [(name: String, value: UInt64)] = []
        for name in Self.database {
            if let value = number(name, .rest) { values.append((name, value)) }
        }
        for family in Family.allCases {
            let prefix = family == .rest ? "rest" : "\(family.name)"
            for name in Self.family {
                if let value = number(name, family) { values.append(("\(prefix).\(name)", value)) }
            }
            let files = (0..<Self.levels).reduce(UInt64(0)) { $0 + (fileCount(level: $1, family) ?? 0) }
            values.append(("\(prefix).num-files", files))
        }
        return values
    }

    private func number(_ name: String, _ family: Family) -> UInt64? {
        var value: UInt64 = 0
        let status = rocksdb_property_int_cf(handle.database, handle.pointer(family), "rocksdb.\(name)", &value)
        return status == 0 ? value : nil
    }

    /// RocksDB gives this one as text only.
    private func fileCount(level: Int, _ family: Family) -> UInt64? {
        let name = "rocksdb.num-files-at-level\(level)"
        guard let text = rocksdb_property_value_cf(handle.database, handle.pointer(family), name) else { return nil }
        defer { rocksdb_free(text) }
        return UInt64(String(cString: text))
    }
}
