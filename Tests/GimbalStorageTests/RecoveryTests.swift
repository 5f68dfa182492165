import Foundation
import GimbalRocksDB
import GimbalStorage
import Synchronization
import TestFiles
import Testing

/// What an engine does after a write failed, on disks that are really full.
@Suite(.enabled(if: TemporaryDisk.isAvailable, "\(TemporaryDisk.reason)"))
struct RecoveryTests {
    /// Bytes that no compression makes fewer, the same for the same number.
    private static func value(_ number: Int) -> [UInt8] {
        var word = UInt64(truncatingIfNeeded: number) &* 0x9e37_79b9_7f4a_7c15 | 1
        return (0..<4000).map { _ in
            word ^= word << 13
            word ^= word >> 7
            word ^= word << 17
            return UInt8(truncatingIfNeeded: word >> 24)
        }
    }

    private static func commit(_ number: Int, to engine: RocksDBEngine) throws {
        try engine.put(value(number), at: Array("\(number)".utf8))
    }

    /// Commits until the disk is full; returns the numbers that are stored.
    private func fill(_ disk: TemporaryDisk, _ engine: RocksDBEngine) throws -> [Int] {
        try disk.fill(leaving: 128 << 10)
        var stored: [Int] = []
        // The write-ahead log has room of its own that was taken before.
        for number in 0..<3000 {
            do {
                try Self.commit(number, to: engine)
                stored.append(number)
            } catch let error as StorageError {
                #expect(error.code == "storage-full", "what was cut off is not stored, and that is known: \(error)")
                return stored
            }
        }
        try #require(Bool(false), "the disk never was full")
        return stored
    }

    @Test("no write is taken after one failed, reads go on, and once there is room it is opened again with all that was stored")
    func full() throws {
        let disk = try TemporaryDisk(megabytes: 16)
        let engine = try RocksDBEngine(folder: disk.path + "/space", options: .forTests)
        defer { engine.close() }
        let troubles = Mutex(0)
        engine.onTrouble { _ in troubles.withLock { $0 += 1 } }
        let stored = try fill(disk, engine)
        #expect(troubles.withLock { $0 } == 1)
        let view = try engine.view()
        for _ in 0..<3 {
            expectError("storage-full") { try Self.commit(500, to: engine) }
            expectError("storage-full") { try engine.recover() }
        }
        #expect(troubles.withLock { $0 } == 1, "told once")
        #expect(try engine.load([Array("0".utf8)], from: .state) == [Self.value(0)])
        #expect(try view.load([Array("0".utf8)], from: .state) == [Self.value(0)])
        disk.empty()
        expectError("storage-full") { try Self.commit(501, to: engine) }
        try engine.recover()
        #expect(throws: StorageError.closed) { _ = try view.load([Array("0".utf8)], from: .state) }
        try Self.commit(502, to: engine)
        for number in stored + [502] {
            #expect(try engine.load([Array("\(number)".utf8)], from: .state) == [Self.value(number)], "\(number)")
        }
        #expect(try engine.load([Array("500".utf8)], from: .state) == [nil])
        #expect(engine.statistics.first { $0.name == "num-snapshots" }?.value == 0)
        withExtendedLifetime((disk, view)) {}
    }

    @Test("a snapshot that meets a full disk ends no process, whatever is written meanwhile and whenever there is room again")
    func stagingOnAFullDisk() async throws {
        let disk = try TemporaryDisk(megabytes: 16)
        let engine = try RocksDBEngine(folder: disk.path + "/space", options: .forTests)
        _ = try fill(disk, engine)
        await withTaskGroup(of: Void.self) { group in
            for part in 0..<4 {
                group.addTask {
                    for number in 0..<40 {
                        if part == 0 {
                            var run = StagedRun(.state)
                            run.append(Array("staged \(number)".utf8), Self.value(number))
                            _ = try? engine.stage(run)
                        } else if part == 1 {
                            _ = try? engine.recover()
                        } else {
                            _ = try? Self.commit(1000 * part + number, to: engine)
                        }
                        if part == 3, number == 20 { disk.empty() }
                    }
                }
            }
        }
        try engine.recover()
        var run = StagedRun(.state)
        run.append([1], [2])
        try engine.stage(run)
        try engine.install(StorageBatch())
        #expect(try engine.load([[1]], from: .state) == [[2]])
        engine.close()
        withExtendedLifetime(disk) {}
    }

    @Test("reads that meet an engine which is opened again finish, or say so, and a close waits for it")
    func readersMeanwhile() async throws {
        let disk = try TemporaryDisk(megabytes: 16)
        let engine = try RocksDBEngine(folder: disk.path + "/space", options: .forTests)
        let stored = try fill(disk, engine)
        let first = try #require(stored.first)
        disk.empty()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<3 {
                group.addTask {
                    for _ in 0..<300 {
                        do {
                            let view = try engine.view()
                            #expect(try view.load([Array("\(first)".utf8)], from: .state) == [Self.value(first)])
                            var count = 0
                            try engine.scan(.state, from: [], until: nil) { _, _ in
                                count += 1
                                return true
                            }
                            #expect(count >= stored.count)
                        } catch {
                            #expect([.closed, .recovering].contains(error as? StorageError), "\(error)")
                        }
                    }
                }
            }
            group.addTask { _ = try? engine.recover() }
        }
        try engine.recover()
        try Self.commit(1, to: engine)
        engine.close()
        withExtendedLifetime(disk) {}
    }
}
