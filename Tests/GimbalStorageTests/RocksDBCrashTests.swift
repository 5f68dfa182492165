import GimbalRocksDB
import GimbalStorage
import Synchronization
import TestFiles
import Testing

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Full disks, other processes and sudden ends.
@Suite(.serialized)
struct RocksDBCrashTests {
    @Test(
        "a full disk refuses commits, keeps reads and views, and takes commits again when there is room",
        .enabled(if: TemporaryDisk.isAvailable, "\(TemporaryDisk.reason)"), arguments: [3 << 20, 64 << 10, 0])
    func fullDisk(leaving bytesFree: Int) throws {
        let disk = try TemporaryDisk(megabytes: 24)
        let path = disk.path + "/space"
        let valueBytes = 10_000
        let engine = try RocksDBEngine(folder: path, options: .forTests)
        try engine.commit(batch(0, valueBytes))
        let view = try engine.view()
        try disk.fill(leaving: bytesFree)

        var stored = 1
        var failure: StorageError?
        while failure == nil, stored < 3000 {
            do throws(StorageError) {
                try engine.commit(batch(stored, valueBytes))
                stored += 1
            } catch {
                failure = error
            }
        }
        #expect(failure?.code == "storage-full", "\(String(describing: failure))")
        for _ in 0..<20 {
            expectError("storage-full") { try engine.commit(batch(stored, valueBytes)) }
        }
        #expect(try count(engine) == stored)
        #expect(try engine.load([key(stored)], from: .log) == [nil])
        #expect(try count(view) == 1)

        disk.empty()
        expectError("storage-full") { try engine.commit(batch(stored, valueBytes)) }
        try engine.recover()
        try engine.commit(batch(stored, valueBytes))
        #expect(try count(engine) == stored + 1)
        expectError("storage-closed") { _ = try count(view) }
        engine.close()
        let again = try RocksDBEngine(folder: path, options: .forTests)
        #expect(try count(again) == stored + 1)
        again.close()
    }

    @Test("a full disk is not opened, and opens later", .enabled(if: TemporaryDisk.isAvailable, "\(TemporaryDisk.reason)"))
    func openingOnFullDisk() throws {
        let disk = try TemporaryDisk(megabytes: 24)
        let path = disk.path + "/space"
        let engine = try RocksDBEngine(folder: path, options: .forTests)
        for number in 0..<5 { try engine.commit(batch(number, 100_000)) }
        engine.close()
        try disk.fill(leaving: 0)
        for name in ["/space", "/other"] {
            expectError("storage-full") {
                _ = try RocksDBEngine(folder: disk.path + name, options: .forTests)
            }
        }
        disk.empty()
        let again = try RocksDBEngine(folder: path, options: .forTests)
        #expect(try count(again) == 5)
        again.close()
    }

    @Test("closing waits for a scan under way")
    func closingWaits() async throws {
        let folder = try TemporaryFolder()
        let engine = try RocksDBEngine(folder: folder.path + "/space", options: .forTests)
        for number in 0..<100 { try engine.commit(batch(number, 100)) }
        let order = EventOrder()
        var closing: Task<Void, Never>?
        try engine.scan(.log, from: [], until: nil) { found, _ in
            if found == key(0) {
                closing = Task.detached {
                    engine.close()
                    order.events.withLock { $0.append("closed") }
                }
            }
            usleep(1000)
            if found == key(99) { order.events.withLock { $0.append("scanned") } }
            return true
        }
        await closing?.value
        #expect(order.events.withLock { $0 } == ["scanned", "closed"])
    }

    @Test("another process finds the place locked")
    func otherProcess() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/space"
        let engine = try RocksDBEngine(folder: path, options: .forTests)
        await #expect(processExitsWith: .success) { [path = path as String] in
            #expect(throws: StorageError.locked(folder: path)) { try RocksDBEngine(folder: path) }
        }
        engine.close()
    }

    @Test("a killed process loses no acknowledged commit and leaves no half one", arguments: [20, 90, 200])
    func suddenEnd(milliseconds: Int) async throws {
        let folder = try TemporaryFolder()
        let path = folder.path
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String, milliseconds = milliseconds as Int] in
            let engine = try RocksDBEngine(folder: path + "/space", options: .forTests)
            let acknowledged = open(path + "/acknowledged", O_WRONLY | O_CREAT | O_APPEND, 0o600)
            Task.detached {
                try await Task.sleep(for: .milliseconds(milliseconds))
                kill(getpid(), SIGKILL)
            }
            for number in 0..<1_000_000 {
                try engine.commit(batch(number, 2000))
                write(acknowledged, "x", 1)
            }
        }
        let acknowledged = try File.read(path + "/acknowledged").count
        #expect(acknowledged > 0)
        let engine = try RocksDBEngine(folder: path + "/space", options: .forTests)
        let found = try count(engine)
        #expect(found == acknowledged || found == acknowledged + 1)
        #expect(try engine.load([[1]], from: .metadata) == [key(found - 1)])
        engine.close()
    }
}

private final class EventOrder: Sendable {
    let events = Mutex<[String]>([])
}

/// One entry of the log, and its number in two other families: all three, or none, must be found.
private func batch(_ number: Int, _ valueBytes: Int) -> StorageBatch {
    var batch = StorageBatch()
    var random = UInt64(number + 1)
    batch.put(
        (0..<valueBytes).map { _ in
            random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(random >> 56)
        }, at: key(number), in: .log)
    batch.put(key(number), at: [1], in: .metadata)
    batch.put(key(number), at: key(number), in: .state)
    return batch
}

private func key(_ number: Int) -> [UInt8] {
    withUnsafeBytes(of: UInt64(number).bigEndian) { [UInt8]($0) }
}

private func count(_ view: any StorageView) throws -> Int {
    var (log, state) = (0, 0)
    try view.scan(.log, from: [], until: nil) { found, _ in
        #expect(found == key(log))
        log += 1
        return true
    }
    try view.scan(.state, from: [], until: nil) { _, _ in
        state += 1
        return true
    }
    #expect(log == state)
    return log
}
