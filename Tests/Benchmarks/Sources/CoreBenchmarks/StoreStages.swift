import Foundation
import GimbalCRDT
import GimbalReplication
import GimbalRocksDB
import GimbalSigning
import GimbalStorage
import GimbalStore
import GimbalWire

/// The stores on a real disk: processor time of the whole process, background work of the engine included.
enum StoreStages {
    static func all(_ workload: Workload, folder: String) -> [Stage] {
        [
            Stage(name: "ingest", what: "a pivot takes pushed deltas, durable in RocksDB") {
                try await ingest(workload, RocksDBEngine(folder: newFolder(folder)))
            },
            Stage(name: "ingest-memory", what: "the same in the memory engine") {
                try await ingest(workload, MemoryEngine())
            },
            Stage(name: "write-16", what: "a pivot's own writes, 16 in a commit, durable in RocksDB") {
                try await write(workload, RocksDBEngine(folder: newFolder(folder)), together: 16)
            },
            Stage(name: "write-16-memory", what: "the same in the memory engine") {
                try await write(workload, MemoryEngine(), together: 16)
            },
            Stage(name: "write-1", what: "one in a commit, durable in RocksDB") {
                try await write(workload, RocksDBEngine(folder: newFolder(folder)), together: 1)
            },
        ]
    }

    private static func newFolder(_ parent: String) -> String {
        let folder = Stage.newFolder(in: parent)
        folders.append(folder)
        return folder
    }

    /// The stages run one after another, and nothing else touches it.
    nonisolated(unsafe) private static var folders: [String] = []

    private static func pivot(_ engine: any StorageEngine, member: AuthorID) async throws -> PivotSpace {
        let (root, key) = (SigningKey.generate(), SigningKey.generate())
        let space = SpaceID(words: root.author.words)
        let certificate = Certificate(space: space, pivot: key.author, serial: 1, issuedMilliseconds: 1)
        let signed = SignedPayload(signing: certificate.encoded, with: root)
        let pivot = try PivotSpace(space: space, engine: engine, signer: key, certificate: signed)
        _ = try await pivot.write(.record(SpaceRecords.settingsPath, value: Workload.settings.json)).get()
        let record = MemberRecord(name: "bench", writes: [.everything])
        _ = try await pivot.write(.record(SpaceRecords.memberPath(member), value: record.json)).get()
        return pivot
    }

    private static func ingest(_ workload: Workload, _ engine: any StorageEngine) async throws -> Double {
        let pivot = try await pivot(engine, member: workload.author.author)
        defer { close(pivot) }
        let deltas = workload.deltas(in: pivot.space).map { IncomingDelta($0) }
        let start = ProcessorTime.ofProcess()
        let cursor = pivot.place
        for delta in deltas {
            let outcome = await withCheckedContinuation { continuation in
                pivot.push(cursor, [delta]) { continuation.resume(returning: $0) }
            }
            guard try outcome.get().verdict == .accepted else { preconditionFailure("refused: \(outcome)") }
        }
        return (ProcessorTime.ofProcess() - start) / Double(workload.operations)
    }

    private static func write(_ workload: Workload, _ engine: any StorageEngine, together: Int) async throws -> Double {
        let pivot = try await pivot(engine, member: workload.author.author)
        defer { close(pivot) }
        let count = together == 1 ? workload.operations / 20 : workload.operations
        for number in 0..<(together == 1 ? 0 : Workload.keys) where number % 512 == 0 {
            await write(pivot, (number..<(number + 512)).map { (workload.path($0), workload.value($0)) })
        }
        let requests = (0..<count).map { (workload.path(workload.key($0)), workload.value($0)) }
        let start = ProcessorTime.ofProcess()
        for first in stride(from: 0, to: count, by: together) {
            await write(pivot, Array(requests[first..<min(first + together, count)]))
        }
        return (ProcessorTime.ofProcess() - start) / Double(count)
    }

    private static func write(_ pivot: PivotSpace, _ requests: [(Path, [UInt8])]) async {
        await withCheckedContinuation { continuation in
            let left = Countdown(requests.count) { continuation.resume() }
            for (path, value) in requests { pivot.submit(.set(path, value: value)) { _ in left.count() } }
        }
    }

    private static func close(_ pivot: PivotSpace) {
        pivot.close()
        for folder in folders { try? FileManager.default.removeItem(atPath: folder) }
        folders = []
    }
}

/// Calls once when it was counted down. Used by the writer's thread alone.
final class Countdown: @unchecked Sendable {
    private var left: Int
    private let done: @Sendable () -> Void

    init(_ count: Int, _ done: @escaping @Sendable () -> Void) {
        left = count
        self.done = done
    }

    func count() {
        left -= 1
        if left == 0 { done() }
    }
}
