import GimbalRocksDB
import GimbalStorage
import TestFiles
import Testing

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What `RocksDBEngine` does with folders that are not as it would have left them.
struct RocksDBFolderTests {
    private let folder: TemporaryFolder
    private var path: String { folder.path + "/space" }

    init() throws { folder = try TemporaryFolder() }

    private func open() throws(StorageError) -> RocksDBEngine {
        try RocksDBEngine(folder: path, options: .forTests)
    }

    private func files(ending suffix: String) throws -> [String] {
        try TemporaryFolder.names(path).filter { $0.hasSuffix(suffix) }.map { "\(path)/\($0)" }
    }

    /// Commits one by one, so that each is a record of the write-ahead log.
    private func commit(_ numbers: Range<UInt8>, to engine: RocksDBEngine) throws {
        for number in numbers {
            try engine.put([UInt8](repeating: number, count: 500), at: [number])
        }
    }

    @Test("a newer format is refused, and the data stays")
    func newerFormat() throws {
        let engine = try open()
        try engine.pretendFormat(7)
        engine.close()
        #expect(throws: StorageError.newerFormat(found: 7, known: 1)) { try open() }
        #expect(throws: StorageError.newerFormat(found: 7, known: 1)) { try open() }
    }

    @Test("a newer format is refused, also when it has more column families")
    func newerFormatWithMoreFamilies() throws {
        let engine = try open()
        try engine.pretendFormat(2, addingFamily: "future")
        engine.close()
        #expect(throws: StorageError.newerFormat(found: 2, known: 1)) { try open() }
    }

    @Test("the known format with an unknown family is not opened in part")
    func unknownFamily() throws {
        let engine = try open()
        try engine.pretendFormat(1, addingFamily: "future")
        engine.close()
        expectError("storage-failed") {
            _ = try open()
        }
    }

    @Test("a folder whose parent is missing is not writable")
    func missingParent() {
        expectError("storage-not-writable") {
            _ = try RocksDBEngine(folder: path + "/a/b")
        }
    }

    @Test("damage in the middle of the write-ahead log is refused, not skipped")
    func damagedLog() throws {
        let engine = try open()
        try commit(0..<100, to: engine)
        engine.close()
        let log = try #require(try files(ending: ".log").last)
        var content = try File.read(log)
        content[content.count / 2] ^= 0xff
        try File.write(content, to: log)
        expectError("storage-corrupt") { _ = try open() }
    }

    @Test("a record torn at the end of the write-ahead log is dropped alone", arguments: [1, 250, 510])
    func tornLog(missing: Int) throws {
        let engine = try open()
        try commit(0..<100, to: engine)
        engine.close()
        let log = try #require(try files(ending: ".log").last)
        try File.write(try File.read(log).dropLast(missing), to: log)
        let again = try open()
        #expect(try again.load([[98], [99]], from: .state) == [[UInt8](repeating: 98, count: 500), nil])
        again.close()
    }

    @Test("zeroes after the last record, as a file system may leave them, are no damage")
    func zeroesAfterLog() throws {
        let engine = try open()
        try commit(0..<100, to: engine)
        engine.close()
        let log = try #require(try files(ending: ".log").last)
        try File.write(try File.read(log) + [UInt8](repeating: 0, count: 9000), to: log)
        let again = try open()
        #expect(try again.load([[99]], from: .state) == [[UInt8](repeating: 99, count: 500)])
        again.close()
    }

    @Test("a damaged data file is noticed by the read that needs it")
    func damagedTable() throws {
        let engine = try open()
        try commit(0..<100, to: engine)
        // Writes what is in memory to data files.
        try engine.checkpoint(to: folder.path + "/copy")
        engine.close()
        // The largest is that of the state; the others hold little but the format.
        let tables = try files(ending: ".sst").map { (path: $0, content: try File.read($0)) }
        var table = try #require(tables.max { $0.content.count < $1.content.count })
        for index in 0..<100 { table.content[index] ^= 0xff }
        try File.write(table.content, to: table.path)
        let again = try open()
        defer { again.close() }
        expectError("storage-corrupt") { _ = try again.load([[1]], from: .state) }
        expectError("storage-corrupt") { _ = try again.load([[1], [2]], from: .state) }
        expectError("storage-corrupt") { try again.scan(.state, from: [], until: nil) { _, _ in true } }
        expectError("storage-corrupt") { _ = try again.last(.state, below: [2]) }
    }

    @Test("a missing data file, manifest or CURRENT is refused", arguments: [".sst", "MANIFEST", "CURRENT"])
    func missingFile(kind: String) throws {
        let engine = try open()
        try commit(0..<100, to: engine)
        try engine.checkpoint(to: folder.path + "/copy")
        engine.close()
        let names = try TemporaryFolder.names(path).filter { $0.contains(kind) }
        #expect(!names.isEmpty)
        for name in names { unlink("\(path)/\(name)") }
        expectError("storage-corrupt") { _ = try open() }
        expectError("storage-corrupt") { _ = try open() }
        #expect(try !files(ending: ".log").isEmpty)
    }

    @Test("a disk that takes no writes is refused", .enabled(if: TemporaryDisk.isAvailable, "\(TemporaryDisk.reason)"))
    func readOnlyDisk() throws {
        let disk = try TemporaryDisk(megabytes: 16)
        try RocksDBEngine(folder: disk.path + "/space", options: .forTests).close()
        try disk.refuseWrites()
        for name in ["/space", "/other"] {
            expectError("storage-not-writable") {
                _ = try RocksDBEngine(folder: disk.path + name, options: .forTests)
            }
        }
    }

    @Test("a folder without permission is refused", .enabled(if: geteuid() != 0, "root may write everywhere"))
    func forbiddenFolder() throws {
        try open().close()
        chmod(path, 0o500)
        defer { chmod(path, 0o700) }
        expectError("storage-not-writable") {
            _ = try open()
        }
    }

    @Test("a checkpoint is a folder of its own with all that was committed")
    func checkpoint() throws {
        let engine = try open()
        try commit(0..<100, to: engine)
        let copy = folder.path + "/copy"
        try engine.checkpoint(to: copy)
        try commit(100..<120, to: engine)
        #expect(throws: StorageError.self) { try engine.checkpoint(to: copy) }
        let opened = try RocksDBEngine(folder: copy, options: .forTests)
        #expect(try opened.load([[99], [100]], from: .state) == [[UInt8](repeating: 99, count: 500), nil])
        try opened.put([1], at: [1])
        opened.close()
        #expect(try engine.load([[1]], from: .state) == [[UInt8](repeating: 1, count: 500)])
        engine.close()
        #expect(throws: StorageError.closed) { try engine.checkpoint(to: folder.path + "/late") }
    }

    @Test("statistics name what people ask for, and are empty when closed")
    func statistics() throws {
        let engine = try open()
        try commit(0..<100, to: engine)
        let view = try engine.view()
        let values = Dictionary(uniqueKeysWithValues: engine.statistics.map { ($0.name, $0.value) })
        #expect(values["state.estimate-num-keys"] == 100)
        #expect(values["num-snapshots"] == 1)
        #expect(values["block-cache-capacity"] == UInt64(RocksDBOptions.forTests.cacheBytes))
        #expect(values["background-errors"] == 0)
        #expect(values["log.num-files"] == 0)
        _ = try view.load([[1]], from: .state)
        engine.close()
        #expect(engine.statistics.isEmpty)
    }

    @Test("a released view holds no snapshot")
    func releasedView() throws {
        let engine = try open()
        defer { engine.close() }
        do { _ = try engine.view() }
        #expect(engine.statistics.first { $0.name == "num-snapshots" }?.value == 0)
    }
}

extension StorageEngine {
    func put(_ value: [UInt8], at key: [UInt8]) throws(StorageError) {
        var batch = StorageBatch()
        batch.put(value, at: key, in: .state)
        try commit(batch)
    }
}

/// Expects a `StorageError` with this code.
func expectError(
    _ code: String, sourceLocation: SourceLocation = #_sourceLocation, _ call: () throws -> Void
) {
    do {
        try call()
        Issue.record("no error, instead of \(code)", sourceLocation: sourceLocation)
    } catch {
        #expect((error as? StorageError)?.code == code, "\(error)", sourceLocation: sourceLocation)
    }
}
