extension StorageConformance {
    static let stagingChecks = [
        check("staged entries are seen in the staging area alone") { engine in
            for section in Section.replaceable {
                try engine.put([1], at: [1], in: section)
                try engine.stage(section, [Entry(key: [1], value: [2]), Entry(key: [2], value: [2])])
                try expect("\(section) in use", try engine.entries(section), is: [Entry(key: [1], value: [1])])
                try engine.stage(section, [Entry(key: [0], value: [3]), Entry(key: [2], value: [3])])
                try expect(
                    "staged \(section)", try engine.stagedView().entries(section),
                    is: [Entry(key: [0], value: [3]), Entry(key: [1], value: [2]), Entry(key: [2], value: [3])])
            }
            try engine.put([1], at: [1], in: .metadata)
            try expect("metadata in the staging area", try engine.stagedView().entries(.metadata), is: [])
        },
        check("an install puts the staged sections in the place of those in use, with its batch") { engine in
            for round in 1...3 {
                let view = try engine.view()
                let before = try view.entries(.state)
                let new = (0..<50).map { Entry(key: bytes($0 * round), value: bytes(round)) }
                for section in Section.replaceable { try engine.stage(section, new) }
                var batch = StorageBatch()
                batch.delete(new[0].key, in: .state)
                batch.put(bytes(round), at: [1], in: .metadata)
                try engine.install(batch)
                try expect("state in round \(round)", try engine.entries(.state), is: Array(new.dropFirst()))
                try expect("log in round \(round)", try engine.entries(.log), is: new)
                try expect("chain in round \(round)", try engine.entries(.chain), is: new)
                try expect("metadata in round \(round)", try engine.value([1], in: .metadata), is: bytes(round))
                try expect("an earlier view in round \(round)", try view.entries(.state), is: before)
                try engine.put([7], at: bytes(7), in: .state)
                try expect("a later commit in round \(round)", try engine.value(bytes(7)), is: [7])
                try engine.clearStaged()
                try expect("an earlier view after clearing", try view.entries(.state), is: before)
            }
        },
        check("a cleared staging area is empty") { engine in
            for section in Section.replaceable { try engine.put([5], at: [5], in: section) }
            for _ in 0..<2 {
                for section in Section.replaceable {
                    try engine.stage(section, [Entry(key: [], value: []), Entry(key: [0xff, 0xff], value: [1])])
                }
                try engine.clearStaged()
                try engine.compactStaged()
                for section in Section.replaceable {
                    try expect("staged \(section)", try engine.stagedView().entries(section), is: [])
                    try expect("\(section) in use", try engine.entries(section), is: [Entry(key: [5], value: [5])])
                }
            }
        },
        Check(name: "staged entries and an install outlive the engine") { subject in
            guard subject.keepsData else { return }
            func reopened() throws(StorageError) -> any StorageEngine { try subject.open() }
            var engine = try reopened()
            try engine.put([1], at: [1])
            try engine.stage(.state, [Entry(key: [2], value: [2])])
            engine.close()
            engine = try reopened()
            try expect("staged", try engine.stagedView().entries(.state), is: [Entry(key: [2], value: [2])])
            try engine.install(StorageBatch())
            engine.close()
            engine = try reopened()
            defer { engine.close() }
            try expect("installed", try engine.entries(.state), is: [Entry(key: [2], value: [2])])
            try expect("what was in use", try engine.stagedView().entries(.state), is: [Entry(key: [1], value: [1])])
        },
    ]
}

extension StorageEngine {
    fileprivate func stage(_ section: Section, _ entries: [Entry]) throws(StorageError) {
        var run = StagedRun(section)
        for entry in entries { run.append(entry.key, entry.value) }
        try stage(run)
    }
}
