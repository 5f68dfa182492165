import Foundation
import GimbalRocksDB
import GimbalSigning
import GimbalStorage
import GimbalWire

/// What a pivot's commit cannot do without: records of its sizes in RocksDB, its hashes, its signature. Nothing is merged,
/// encoded, read, cached or answered, so that what a pivot's own code costs shows beside it.
struct LeastStage {
    let workload: Workload
    let together: Int
    private let primitives = SodiumPrimitives()
    private let state = [UInt8](repeating: 7, count: 330)
    private let operation = [UInt8](repeating: 7, count: 255)
    private let item = [UInt8](repeating: 7, count: 150)
    private let node = [UInt8](repeating: 7, count: 64)
    private let header = [UInt8](repeating: 7, count: 230)
    private let bucketGroup = [UInt8](repeating: 7, count: 512)

    init(_ workload: Workload, together: Int) {
        self.workload = workload
        self.together = together
    }

    func stage(folder: String) -> Stage {
        let what = "RocksDB, hashes and signature of \(together) writes in a commit, and nothing else"
        return Stage(name: "least-\(together)", what: what) {
            let folder = Stage.newFolder(in: folder)
            defer { try? FileManager.default.removeItem(atPath: folder) }
            let engine = try RocksDBEngine(folder: folder)
            defer { engine.close() }
            for first in stride(from: 0, to: Workload.keys, by: 500) {
                var batch = StorageBatch()
                for key in first..<(first + 500) { batch.put(state, at: workload.path(key).bytes, in: .state) }
                try engine.commit(batch)
            }
            let start = ProcessorTime.ofProcess()
            for first in stride(from: 0, to: workload.operations, by: together) { try commit(first, engine) }
            return (ProcessorTime.ofProcess() - start) / Double(workload.operations)
        }
    }

    private func commit(_ first: Int, _ engine: RocksDBEngine) throws {
        var batch = StorageBatch()
        for number in first..<(first + together) {
            let path = workload.path(workload.key(number)).bytes
            batch.put(state, at: path, in: .state)
            for hashed in [operation, node, path] { _ = primitives.hash(hashed) }
            for _ in 0..<2 { _ = primitives.wideHash(item.span) }
        }
        // Of a commit's 17 changed buckets, as many groups as chance makes.
        for _ in 0..<13 { _ = primitives.hash(bucketGroup) }
        _ = primitives.hash(bucketGroup + bucketGroup)
        for _ in 0..<8 { _ = primitives.hash(node) }
        _ = primitives.hash(header)
        _ = workload.author.sign(header)
        let position = withUnsafeBytes(of: UInt64(first).bigEndian) { Array($0) }
        batch.put([UInt8](repeating: 7, count: header.count + 100 + together * operation.count), at: position, in: .log)
        batch.put(node, at: [UInt8](repeating: 7, count: 40) + position, in: .chain)
        batch.put(header, at: position, in: .checkpoints)
        batch.put(state, at: Array("base".utf8), in: .metadata)
        batch.put(Array(node.prefix(20)), at: Array("record".utf8), in: .metadata)
        batch.put([UInt8](repeating: 7, count: (together + 1) * 67), at: [UInt8(first / together % 64)], in: .metadata)
        try engine.commit(batch)
    }
}
