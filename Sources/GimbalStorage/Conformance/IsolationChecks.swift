import Synchronization

extension StorageConformance {
    static let isolationChecks = [
        check("a view stays as it was") { engine in
            try engine.put((0..<600).map { Entry(key: bytes($0), value: [1]) })
            let before = try engine.view()
            var batch = StorageBatch()
            for number in stride(from: 0, to: 600, by: 3) { batch.delete(bytes(number), in: .state) }
            for number in stride(from: 1, to: 600, by: 3) { batch.put([2], at: bytes(number), in: .state) }
            for number in 600..<900 { batch.put([2], at: bytes(number), in: .state) }
            try engine.commit(batch)
            let after = try engine.view()
            try engine.put([3], at: bytes(0))

            let expected = (0..<600).map { Entry(key: bytes($0), value: [1]) }
            try expect("scan of the view", try before.entries(.state), is: expected)
            try expect(
                "load from the view", try before.load([bytes(0), bytes(1), bytes(600)], from: .state), is: [[1], [1], nil])
            try expect("one key of the view", try before.value(bytes(1)), is: [1])
            try expect("last of the view", try before.lastEntry(.state, below: bytes(9999)), is: expected[599])
            try expect("a later view", try after.load([bytes(0), bytes(1)], from: .state), is: [nil, [2]])
            try expect("the engine", try engine.load([bytes(0), bytes(1)], from: .state), is: [[3], [2]])
        },
        check("a scan shows one moment, while its visitor commits") { engine in
            try engine.put((0..<1000).map { Entry(key: bytes($0), value: [0]) })
            var seen = 0
            try engine.scan(.state, from: [], until: nil) { key, value throws(StorageError) in
                if value != [0] || key != bytes(seen) { throw .failed(reason: "entry \(seen) is from a later commit") }
                seen += 1
                if seen % 100 == 1 {
                    try engine.put([1], at: bytes(999 - seen))
                    try engine.put([1], at: bytes(1000 + seen))
                }
                return true
            }
            try expect("entries", seen, is: 1000)
        },
        check("readers never see half a batch, nor an older one after a newer") { engine in
            try await readsDuringCommits(engine)
        },
    ]

    private static let mirrors: [[UInt8]] = (0..<50).map(bytes)
    private static let readers = 3
    private static let readsOfEach = 40

    /// Every batch writes its number to all mirrors, so that any difference between them is half a batch.
    private static func readsDuringCommits(_ engine: any StorageEngine) async throws {
        try commit(0, engine)
        let finished = FinishedReaders()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                // As long as anyone reads, so that reads and commits meet however the tasks are scheduled.
                var number = 0
                while finished.count < readers {
                    try Task.checkCancellation()
                    number += 1
                    try commit(number, engine)
                    try expect("after commit \(number)", try engine.value(mirrors[7]), is: bytes(number))
                    await Task.yield()
                }
            }
            for _ in 0..<readers {
                group.addTask {
                    var newest: [UInt8] = []
                    for _ in 0..<readsOfEach {
                        try Task.checkCancellation()
                        newest = try read(engine, atLeast: newest)
                        await Task.yield()
                    }
                    finished.add()
                }
            }
            // Not `waitForAll`, which tells the others of a failure only when all have ended.
            while try await group.next() != nil {}
        }
    }

    private static func commit(_ number: Int, _ engine: any StorageEngine) throws(StorageError) {
        try engine.put(mirrors.map { Entry(key: $0, value: bytes(number)) })
    }

    private static func read(_ engine: any StorageEngine, atLeast older: [UInt8]) throws -> [UInt8] {
        // Each many times, for engines that read long lists in parts.
        let loaded = try engine.load((0..<1500).map { mirrors[$0 % mirrors.count] }, from: .state)
        try expect(Set(loaded).count == 1, "load saw \(Set(loaded).count) batches at once")
        let scanned = try engine.entries(.state).map(\.value)
        try expect(Set(scanned).count == 1, "a scan saw \(Set(scanned).count) batches at once")
        let view = try engine.view()
        let viewed = try view.load([mirrors[0]], from: .state) + view.entries(.state).map(\.value)
        try expect(Set(viewed).count == 1, "a view saw \(Set(viewed).count) batches")
        let moments = [older, loaded[0] ?? [], scanned[0], viewed[0] ?? []]
        for (earlier, later) in zip(moments, moments.dropFirst()) {
            try expect(!precedes(later, earlier), "a read saw \(later) after \(earlier)")
        }
        return moments[3]
    }
}

private final class FinishedReaders: Sendable {
    private let state = Mutex(0)

    var count: Int { state.withLock { $0 } }

    func add() { state.withLock { $0 += 1 } }
}
