/// How much memory, how many files and threads one engine may use. The defaults suit a pivot with millions of keys.
public struct RocksDBOptions: Sendable {
    /// Bytes of uncompressed blocks, indexes and filters kept in memory, shared by all sections.
    public var cacheBytes = 12 << 20
    /// Bytes of new writes that each of the two large families collects in memory before a file is written.
    /// A full disk is written to again only when this much is free.
    public var writeBufferBytes = 8 << 20
    /// Data files held open. Each costs a descriptor and some kilobytes.
    public var openFileLimit = 256
    /// Bytes of write-ahead log kept at most, which bounds how long an open after a crash replays.
    public var writeAheadLogBytes = 32 << 20
    /// Threads that flush and compact; RocksDB shares them among all engines of the process.
    public var backgroundJobs = 2
    /// Where RocksDB writes its own diary; nil for none.
    ///
    /// Not in the data folder: Debian's librocksdb has assertions on, and one of them ends the process when the
    /// diary's disk is full.
    public var diaryFolder: String?

    public init() {}

    /// For nodes of which many share a machine.
    public static var small: RocksDBOptions {
        var options = RocksDBOptions()
        options.cacheBytes = 4 << 20
        options.writeBufferBytes = 2 << 20
        options.openFileLimit = 64
        options.writeAheadLogBytes = 8 << 20
        options.backgroundJobs = 1
        return options
    }
}
