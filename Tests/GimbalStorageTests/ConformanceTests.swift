import GimbalRocksDB
import GimbalStorage
import TestFiles
import Testing

struct ConformanceTests {
    @Test(arguments: StorageConformance.checks)
    func memoryEngine(_ check: StorageConformance.Check) async throws {
        try await check.run(.init(keepsData: false) { MemoryEngine() })
    }

    @Test(arguments: StorageConformance.checks)
    func rocksDBEngine(_ check: StorageConformance.Check) async throws {
        let folder = try TemporaryFolder()
        try await check.run(
            .init(keepsData: true) { () throws(StorageError) in
                try RocksDBEngine(folder: folder.path + "/space", options: .forTests)
            })
    }

    /// Without this, a wrong double would make every test below it worthless.
    @Test(arguments: StorageConformance.checks)
    func faultlessDouble(_ check: StorageConformance.Check) async throws {
        let disk = FaultyDisk(fault: nil)
        try await check.run(.init(keepsData: true) { () throws(StorageError) in try FaultyEngine(disk) })
    }

    @Test("a faulty engine is found out", arguments: Fault.allCases)
    func faultyDouble(_ fault: Fault) async throws {
        let check = try #require(StorageConformance.checks.first { $0.name == fault.rawValue })
        let disk = FaultyDisk(fault: fault)
        await #expect(throws: (any Error).self) {
            try await check.run(.init(keepsData: true) { () throws(StorageError) in try FaultyEngine(disk) })
        }
    }

    @Test("every check has a fault that it finds")
    func everyCheckCanFail() {
        #expect(Set(StorageConformance.checks.map(\.name)) == Set(Fault.allCases.map(\.rawValue)))
    }
}

extension RocksDBOptions {
    static var forTests: RocksDBOptions {
        var options = RocksDBOptions.small
        options.writeBufferBytes = 1 << 20
        return options
    }
}
