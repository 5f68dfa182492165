import CRocksDB

/// The column families. Which section is where is part of the stored format: it never changes within a version.
enum Family: Int, CaseIterable {
    /// Everything small or short-lived, each key after one byte that names its section.
    case rest = 0
    /// `Section.state` alone, its keys as they are.
    case state = 1
    /// `Section.log` alone, its keys as they are: files of rising keys are moved down the levels, not rewritten.
    case log = 2
    /// The same two of the second set of replaceable sections.
    case secondState = 3
    case secondLog = 4

    /// RocksDB insists on one family with this name.
    var name: StaticString {
        switch self {
        case .rest: "default"
        case .state: "state"
        case .log: "log"
        case .secondState: "state2"
        case .secondLog: "log2"
        }
    }
}

/// RocksDB's option objects, one a family; RocksDB copies what it needs when it opens.
struct RocksDBTuning: ~Copyable {
    /// In the order of `Family`; the first also holds what concerns the whole database.
    let families: [OpaquePointer?]

    init(_ options: RocksDBOptions) {
        let cache = rocksdb_cache_create_lru(options.cacheBytes)
        families = Family.allCases.map { Self.family($0, options, cache) }
        // The options hold the cache too.
        rocksdb_cache_destroy(cache)
        Self.tuneDatabase(families[Family.rest.rawValue], options)
    }

    deinit {
        for family in families { rocksdb_options_destroy(family) }
    }

    private static func family(_ family: Family, _ options: RocksDBOptions, _ cache: OpaquePointer?) -> OpaquePointer? {
        let result = rocksdb_options_create()
        let writeBufferBytes = family == .rest ? options.writeBufferBytes / 2 : options.writeBufferBytes
        rocksdb_options_set_write_buffer_size(result, writeBufferBytes)
        rocksdb_options_set_max_write_buffer_number(result, 3)
        rocksdb_options_set_target_file_size_base(result, 16 << 20)
        rocksdb_options_set_max_bytes_for_level_base(result, 64 << 20)
        rocksdb_options_set_level_compaction_dynamic_level_bytes(result, 1)
        // One compression for all levels, since a file changes level without a rewrite only then.
        rocksdb_options_set_compression(result, Int32(rocksdb_lz4_compression))

        let table = rocksdb_block_based_options_create()
        rocksdb_block_based_options_set_format_version(table, 5)
        rocksdb_block_based_options_set_block_cache(table, cache)
        // Indexes and filters count against the cache, so that memory does not grow with the number of files.
        rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1)
        rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(table, 1)
        rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(table, 1)
        if family == .log || family == .secondLog {
            // Read in long runs and never for a key that may be absent: large blocks, no filters.
            rocksdb_block_based_options_set_block_size(table, 16 << 10)
        } else {
            rocksdb_block_based_options_set_block_size(table, 4 << 10)
            rocksdb_block_based_options_set_filter_policy(table, rocksdb_filterpolicy_create_bloom_full(10))
        }
        rocksdb_options_set_block_based_table_factory(result, table)
        rocksdb_block_based_options_destroy(table)
        return result
    }

    private static func tuneDatabase(_ result: OpaquePointer?, _ options: RocksDBOptions) {
        rocksdb_options_set_create_if_missing(result, 1)
        rocksdb_options_set_create_missing_column_families(result, 1)
        rocksdb_options_set_paranoid_checks(result, 1)
        // A record torn by a crash at the very end is dropped, as nobody was told that it is durable. Damage
        // anywhere else refuses to open; RocksDB's default would silently forget every commit after it.
        rocksdb_options_set_wal_recovery_mode(result, Int32(rocksdb_tolerate_corrupted_tail_records_recovery))
        rocksdb_options_set_db_write_buffer_size(result, options.writeBufferBytes * 4)
        rocksdb_options_set_max_total_wal_size(result, UInt64(options.writeAheadLogBytes))
        rocksdb_options_set_max_open_files(result, Int32(clamping: options.openFileLimit))
        rocksdb_options_set_max_background_jobs(result, Int32(clamping: options.backgroundJobs))
        // Written out as it goes, so that an fsync of the write-ahead log does not wait for a whole table.
        rocksdb_options_set_bytes_per_sync(result, 1 << 20)
        rocksdb_options_set_manifest_preallocation_size(result, 64 << 10)
        rocksdb_options_set_max_manifest_file_size(result, 4 << 20)
        rocksdb_options_set_stats_dump_period_sec(result, 0)
        rocksdb_options_set_stats_persist_period_sec(result, 0)
        rocksdb_options_set_skip_stats_update_on_db_open(result, 1)
        rocksdb_options_set_keep_log_file_num(result, 2)
        if let folder = options.diaryFolder {
            rocksdb_options_set_db_log_dir(result, folder)
        } else {
            // The level above errors: RocksDB opens a diary whatever one says, and this leaves it empty.
            rocksdb_options_set_info_log_level(result, 5)
        }
    }
}
