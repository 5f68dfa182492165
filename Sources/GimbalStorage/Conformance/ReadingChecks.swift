extension StorageConformance {
    static let readingChecks = [
        check("nothing is found where nothing was stored") { engine in
            for section in Section.allCases {
                try expect("load from \(section)", try engine.load([[1], []], from: section), is: [nil, nil])
                try expect("load of no keys", try engine.load([], from: section), is: [])
                try expect("scan of \(section)", try engine.entries(section), is: [])
                try expect("last of \(section)", try engine.lastEntry(section, below: [0xff]), is: nil)
            }
        },
        check("keys are in the order of unsigned bytes, a prefix first") { engine in
            for section in Section.allCases {
                try engine.put(orderedKeys.reversed().map { Entry(key: $0, value: [1]) }, in: section)
                try expect("order in \(section)", try engine.entries(section).map(\.key), is: orderedKeys)
            }
        },
        check("a scan begins with its lower bound and ends before its upper") { engine in
            for section in [Section.state, .log, .deadLetters] {
                try engine.put(orderedKeys.map { Entry(key: $0, value: $0) }, in: section)
                let bounds: [[UInt8]?] = orderedKeys + [[2], [0x7f, 0xff], [0xff, 0xff, 0xff], nil]
                for lower in bounds.compactMap(\.self) {
                    for upper in bounds {
                        let expected = orderedKeys.filter { key in
                            !precedes(key, lower) && (upper.map { precedes(key, $0) } ?? true)
                        }
                        let found = try engine.entries(section, from: lower, until: upper)
                        try expect("\(section) \(lower)..<\(upper ?? [])", found.map(\.key), is: expected)
                        try expect("values in \(section)", found.map(\.value), is: expected)
                    }
                }
            }
        },
        check("a scan stops when it is told to, and passes an error on") { engine in
            try engine.put((0..<1000).map { Entry(key: bytes($0), value: []) })
            var visited = 0
            try engine.scan(.state, from: [], until: nil) { _, _ in
                visited += 1
                return visited < 7
            }
            try expect("visits", visited, is: 7)
            visited = 0
            do {
                try engine.scan(.state, from: [], until: nil) { _, _ throws(StorageError) in
                    visited += 1
                    throw .failed(reason: "stop")
                }
                try expect(false, "the visitor's error was swallowed")
            } catch let error as StorageError {
                try expect("the error", error, is: .failed(reason: "stop"))
            }
            try expect("visits before the error", visited, is: 1)
        },
        check("last finds the greatest key below its bound") { engine in
            for section in [Section.state, .log, .metadata, .deadLetters] {
                try engine.put(orderedKeys.map { Entry(key: $0, value: $0) }, in: section)
                for bound in orderedKeys + [[2], [0x7f, 0xff], [0xff, 0xff, 0xff]] {
                    let expected = orderedKeys.last { precedes($0, bound) }.map { Entry(key: $0, value: $0) }
                    try expect("last below \(bound)", try engine.lastEntry(section, below: bound), is: expected)
                }
            }
        },
        check("load answers in the order of the keys, for one, few and many") { engine in
            let count = 2500
            try engine.put((0..<count).map { Entry(key: bytes($0), value: bytes($0 * 3)) })
            let few = [bytes(9), [], bytes(2), bytes(9), bytes(count)]
            try expect("few", try engine.load(few, from: .state), is: [bytes(27), nil, bytes(6), bytes(27), nil])
            try expect("one", try engine.load([bytes(5)], from: .state), is: [bytes(15)])
            let many = (0..<count).reversed().map { $0 * 2 }
            let expected: [[UInt8]?] = many.map { $0 < count ? bytes($0 * 3) : nil }
            try expect("many", try engine.load(many.map(bytes), from: .state), is: expected)
        },
        check("sections do not see each other") { engine in
            for section in Section.allCases {
                try engine.put((0..<3).map { Entry(key: [0xff, $0], value: [section.rawValue, $0]) }, in: section)
            }
            for section in Section.allCases {
                let expected = (0..<3).map { Entry(key: [0xff, $0], value: [section.rawValue, $0]) }
                try expect("scan of \(section)", try engine.entries(section), is: expected)
                try expect("load from \(section)", try engine.value([0xff, 1], in: section), is: [section.rawValue, 1])
                try expect("below all of \(section)", try engine.lastEntry(section, below: [0xff, 0]), is: nil)
                try expect("last of \(section)", try engine.lastEntry(section, below: [0xff, 9]), is: expected[2])
            }
        },
    ]

    /// In rising order, with the keys that a wrong comparison or encoding would misplace.
    private static let orderedKeys: [[UInt8]] = [
        [], [0], [0, 0], [0, 1], [0, 0xff], [1], [1, 0], [0x61], [0x61, 0x62], [0x7f], [0x80], [0x80, 0],
        [0xfe, 0xff], [0xff], [0xff, 0], [0xff, 0xff],
    ]
}
