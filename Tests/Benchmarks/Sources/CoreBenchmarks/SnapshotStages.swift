import Foundation
import GimbalCRDT
import GimbalReplication
import GimbalRocksDB
import GimbalSigning
import GimbalStorage
import GimbalStore
import GimbalWire

/// A first sync without the network between: what a snapshot costs on both sides, a key of 200 bytes. All keys are distinct.
enum SnapshotStages {
    static func all(_ workload: Workload, folder: String) -> [Stage] {
        [
            Stage(name: "snapshot", what: "a key sent, taken in, checked and installed, durable in RocksDB") {
                let folder = Stage.newFolder(in: folder)
                defer { try? FileManager.default.removeItem(atPath: folder) }
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
                return try await firstSync(workload, folder)
            }
        ]
    }

    private static func firstSync(_ workload: Workload, _ folder: String) async throws -> Double {
        let (root, key) = (SigningKey.generate(), SigningKey.generate())
        let space = SpaceID(words: root.author.words)
        let certificate = Certificate(space: space, pivot: key.author, serial: 1, issuedMilliseconds: 1)
        let signed = SignedPayload(signing: certificate.encoded, with: root)
        let pivot = try PivotSpace(
            space: space, engine: RocksDBEngine(folder: "\(folder)/pivot"), signer: key, certificate: signed)
        defer { pivot.close() }
        _ = try await pivot.write(.record(SpaceRecords.settingsPath, value: Workload.settings.json)).get()
        for first in stride(from: 0, to: workload.operations, by: workload.batch) {
            await load(pivot, first..<min(first + workload.batch, workload.operations), workload)
        }
        let node = try NodeSpace(space: space, engine: RocksDBEngine(folder: "\(folder)/node"), signer: SigningKey.generate())
        defer { node.close() }
        return try await sync(pivot, node, key.author, workload)
    }

    private static func load(_ pivot: PivotSpace, _ numbers: Range<Int>, _ workload: Workload) async {
        await withCheckedContinuation { continuation in
            let left = Countdown(numbers.count) { continuation.resume() }
            for number in numbers {
                guard let path = Path("things/key\(number)") else { preconditionFailure("a path") }
                pivot.submit(.set(path, value: workload.value(number))) { _ in left.count() }
            }
        }
    }

    private static func sync(
        _ pivot: PivotSpace, _ node: NodeSpace, _ author: AuthorID, _ workload: Workload
    ) async throws -> Double {
        let clock = ContinuousClock()
        let begin = (clock.now, ProcessorTime.ofProcess())
        var sending = Duration.zero
        var bytes = 0
        let intake = try SnapshotIntake(node, from: author)
        var readerTime = clock.now
        guard let (source, first) = try pivot.snapshot(nil) else { preconditionFailure("a snapshot") }
        defer { pivot.release(source) }
        var reader = first
        let pictureTime = clock.now - readerTime
        while true {
            readerTime = clock.now
            guard let frame = try reader.next() else { break }
            sending += clock.now - readerTime
            bytes += frame.count
            try await intake.take(frame)
        }
        guard try await intake.finish() else { preconditionFailure("not installed") }
        let processor = ProcessorTime.ofProcess() - begin.1
        print(
            "  \(workload.operations) keys: \(clock.now - begin.0) in all, picture \(pictureTime), sending \(sending), "
                + "\(bytes) bytes, \(Int(processor / 1e6)) ms of processor time")
        return processor / Double(workload.operations)
    }
}
