extension StorageConformance {
    static let committingChecks = [
        check("a commit stores its whole batch over all sections") { engine in
            var batch = StorageBatch()
            for section in Section.allCases {
                for number in 0..<20 { batch.put(bytes(number), at: bytes(number), in: section) }
            }
            try engine.commit(batch)
            for section in Section.allCases {
                try expect("entries of \(section)", try engine.entries(section).count, is: 20)
            }
            try engine.commit(StorageBatch())
        },
        check("the last change of a key in a batch wins") { engine in
            try engine.put([9], at: [3])
            var batch = StorageBatch()
            batch.put([1], at: [1], in: .state)
            batch.put([2], at: [1], in: .state)
            batch.put([1], at: [2], in: .state)
            batch.delete([2], in: .state)
            batch.delete([3], in: .state)
            batch.put([3], at: [3], in: .state)
            try engine.commit(batch)
            try expect("put, put", try engine.value([1]), is: [2])
            try expect("put, delete", try engine.value([2]), is: nil)
            try expect("delete, put", try engine.value([3]), is: [3])
        },
        check("a deleted key is gone, and may come back") { engine in
            try engine.put((0..<10).map { Entry(key: bytes($0), value: [1]) })
            var batch = StorageBatch()
            for number in stride(from: 0, to: 10, by: 2) { batch.delete(bytes(number), in: .state) }
            batch.delete(bytes(99), in: .state)
            try engine.commit(batch)
            try expect("load", try engine.value(bytes(4)), is: nil)
            try expect("scan", try engine.entries(.state).map(\.key), is: [1, 3, 5, 7, 9].map(bytes))
            try expect("last", try engine.lastEntry(.state, below: bytes(9))?.key, is: bytes(7))
            try engine.put([2], at: bytes(4))
            try expect("after it came back", try engine.value(bytes(4)), is: [2])
        },
        check("an empty value is a value") { engine in
            for section in Section.allCases {
                try engine.put([], at: [1], in: section)
                try engine.put([], at: [], in: section)
                try expect("load from \(section)", try engine.value([1], in: section), is: [])
                try expect("the empty key in \(section)", try engine.value([], in: section), is: [])
                try expect("both in \(section)", try engine.load([[1], [2], []], from: section), is: [[], nil, []])
                try expect("scan of \(section)", try engine.entries(section).map(\.value), is: [[], []])
            }
        },
        check("keys and values keep every byte") { engine in
            let all = (0...255).map { UInt8($0) }
            let long = [UInt8](repeating: 0xff, count: 2000) + [0]
            for section in [Section.state, .log, .refused] {
                try engine.put(all + all, at: all, in: section)
                try engine.put(long, at: long, in: section)
                try expect("all bytes", try engine.entries(section, until: [9]), is: [Entry(key: all, value: all + all)])
                try expect("a long key", try engine.value(long, in: section), is: long)
                try expect("last", try engine.lastEntry(section, below: long + [0])?.key, is: long)
            }
        },
        check("values of 100 KB come back as they were") { engine in
            let values = (0..<30).map { seed in (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8 &+ seed) } }
            try engine.put(values.enumerated().map { Entry(key: bytes($0.offset), value: $0.element) }, in: .log)
            for (number, value) in values.enumerated() {
                try expect(try engine.value(bytes(number), in: .log) == value, "value \(number) differs")
            }
            let scanned = try engine.entries(.log)
            try expect(scanned.map(\.value) == values, "the scanned values differ")
        },
        check("it agrees with a plain map after any changes") { engine in
            try agreesWithModel(engine)
        },
    ]

    /// Random batches over few keys, so that puts, overwrites and deletes meet; compared after each.
    private static func agreesWithModel(_ engine: any StorageEngine) throws {
        var random = SplitMix(state: 0x67_696d_6261_6c)
        var model: [[UInt8]: [UInt8]] = [:]
        for round in 0..<60 {
            // Growing first, then shrinking, so that whatever splits also merges.
            let batch = round < 40 ? growing(round, &random) : shrinking(model, &random)
            for change in batch.changes { model[change.key] = change.value }
            try engine.commit(batch)
            let expected = model.map { Entry(key: $0.key, value: $0.value) }.sorted { precedes($0.key, $1.key) }
            try expect("all entries after round \(round)", try engine.entries(.state), is: expected)
            guard round % 8 == 7 else { continue }
            var previous: Entry?
            for entry in expected {
                let below = try engine.lastEntry(.state, below: entry.key)
                try expect("last below \(entry.key) in round \(round)", below, is: previous)
                let values = [try engine.value(entry.key), try engine.value(entry.key + [0])]
                try expect("at and after \(entry.key) in round \(round)", values, is: [entry.value, model[entry.key + [0]]])
                previous = entry
            }
        }
    }

    private static func growing(_ round: Int, _ random: inout SplitMix) -> StorageBatch {
        var batch = StorageBatch()
        for _ in 0..<random.next(below: 150) {
            let key = Array(bytes(random.next(below: 3000)).suffix(random.next(below: 2) + 2))
            if random.next(below: 4) == 0 {
                batch.delete(key, in: .state)
            } else {
                batch.put([UInt8](repeating: UInt8(round), count: random.next(below: 40)), at: key, in: .state)
            }
        }
        return batch
    }

    private static func shrinking(_ model: [[UInt8]: [UInt8]], _ random: inout SplitMix) -> StorageBatch {
        var batch = StorageBatch()
        for key in model.keys.sorted(by: precedes) where random.next(below: 6) == 0 { batch.delete(key, in: .state) }
        return batch
    }
}

/// Steele, Lea and Flood 2014: the same sequence everywhere, so that a failure can be run again.
private struct SplitMix {
    var state: UInt64

    mutating func next(below bound: Int) -> Int {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return Int((mixed ^ (mixed >> 31)) % UInt64(bound))
    }
}
