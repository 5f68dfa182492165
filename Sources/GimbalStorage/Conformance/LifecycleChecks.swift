import Synchronization

extension StorageConformance {
    static let lifecycleChecks = [
        check("every call on a closed engine throws closed, and closing twice is harmless") { engine in
            try engine.put([1], at: [1])
            let view = try engine.view()
            engine.close()
            engine.close()
            for reader in [engine, view] as [any StorageView] {
                let name = type(of: reader)
                try expectClosed("load of \(name)") { () throws(StorageError) in _ = try reader.load([[1]], from: .state) }
                try expectClosed("last of \(name)") { () throws(StorageError) in _ = try reader.last(.log, below: [2]) }
                try expectClosed("scan of \(name)") { () throws(StorageError) in _ = try reader.entries(.metadata) }
            }
            try expectClosed("commit") { () throws(StorageError) in try engine.put([2], at: [1]) }
            try expectClosed("an empty commit") { () throws(StorageError) in try engine.commit(StorageBatch()) }
            try expectClosed("view") { () throws(StorageError) in _ = try engine.view() }
            _ = engine.statistics
        },
        check("a reader that meets a closing engine finishes or throws closed") { engine in
            try engine.put((0..<2000).map { Entry(key: bytes($0), value: bytes($0)) })
            let closing = Closing()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for seed in 0..<3 {
                    group.addTask { try await readUntilClosed(engine, closing, seed: seed) }
                }
                for _ in 0..<50 { await Task.yield() }
                engine.close()
                closing.hasReturned = true
                // Not `waitForAll`, which tells the others of a failure only when all have ended.
                while try await group.next() != nil {}
            }
        },
        Check(name: "data outlives the engine") { subject in
            guard subject.keepsData else { return }
            for round in 0..<4 {
                let engine = try subject.open()
                defer { engine.close() }
                for section in Section.allCases {
                    let expected = (0..<round).map { Entry(key: bytes($0), value: bytes($0 + 1)) }
                    try expect("\(section) when opened again", try engine.entries(section), is: expected)
                    try engine.put(bytes(round + 1), at: bytes(round), in: section)
                    try engine.put([1], at: [0xff], in: section)
                    var batch = StorageBatch()
                    batch.delete([0xff], in: section)
                    try engine.commit(batch)
                }
            }
        },
        Check(name: "one place has one engine at a time") { subject in
            guard subject.keepsData else { return }
            let first = try subject.open()
            do {
                try subject.open().close()
                try expect(false, "a second engine opened the same place")
            } catch StorageError.locked {}
            try first.put([1], at: [1])
            first.close()
            let second = try subject.open()
            defer { second.close() }
            try expect("after the first is closed", try second.value([1]), is: [1])
        },
    ]

    private static func expectClosed(
        _ what: String, _ call: () throws(StorageError) -> Void
    ) throws(ConformanceFailure) {
        do throws(StorageError) {
            try call()
        } catch {
            return try expect("\(what) on a closed engine", error, is: .closed)
        }
        throw ConformanceFailure(description: "\(what) on a closed engine did not throw")
    }

    private static func readUntilClosed(_ engine: any StorageEngine, _ closing: Closing, seed: Int) async throws {
        do {
            while true {
                let wasClosed = closing.hasReturned
                let view = try engine.view()
                _ = try engine.load([bytes(seed), bytes(seed + 1)], from: .state)
                _ = try view.last(.state, below: bytes(1000))
                _ = try view.entries(.state)
                try expect(!wasClosed, "reads go on after close has returned")
                await Task.yield()
            }
        } catch let error as StorageError {
            try expect("a read while closing", error, is: .closed)
        }
    }
}

/// Whether `close` has returned.
private final class Closing: Sendable {
    private let state = Mutex(false)

    var hasReturned: Bool {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }
}
