import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalStorage
import GimbalStore
import GimbalWire
import Testing

extension ExportSamplesTests {
    /// The same space, its log pruned: what a snapshot of it is made of, and what pivot and node store on the way.
    func addSnapshot(_ fixture: ExportFixture, _ samples: inout Samples) async throws {
        let engine = try fixture.pivotEngine.copied()
        let pivot = try PivotSpace(
            space: fixture.space, engine: UnclosedEngine(engine), signer: fixture.pivotKey, certificate: fixture.certificate,
            options: pruning)
        pivot.heard(fixture.nodeKey.author, position: fixture.node.cursor.position)
        try await eventually("pruned") {
            let follower = try engine.load([Array("follower/".utf8) + fixture.nodeKey.author.bytes], from: .metadata)[0]
            return follower != nil && pivot.retentionStatus.horizon + 3 > pivot.place.position
        }
        let frames = try pivot.snapshotFrames()
        pivot.close()
        try samples.add("stored-retention", metadata: "retention", of: engine)
        try engine.scan(.metadata, from: Array("follower/".utf8), until: Array("follower0".utf8)) {
            _, value throws(StorageError) in
            try? samples.add("stored-follower", value)
            return true
        }
        try samples.add("stored-subtree", engine, .subtrees)
        try addItems(of: frames, &samples)
        try await addIntake(of: frames, fixture, &samples)
    }

    /// Small frames and chunks, so that a cut comes in the middle.
    private var pruning: SpaceOptions {
        var options = SpaceOptions(retention: .shortest)
        options.snapshotFrameBytes = 1000
        options.stagedChunkBytes = 2000
        return options
    }

    private func addItems(of frames: [[UInt8]], _ samples: inout Samples) throws {
        var isFirst = true
        for frame in frames {
            var reader = CBORReader(frame)
            while !reader.isAtEnd {
                let start = reader.offset
                let rule =
                    switch try SnapshotItem(from: &reader, isFirst: isFirst) {
                    case .head: "snapshot-head"
                    case .entry: "snapshot-entry"
                    case .replica: "snapshot-replica"
                    case .refused: "snapshot-refused"
                    case .stateEnd: "snapshot-state-end"
                    case .subtree: "snapshot-subtree"
                    case .end: "snapshot-end"
                    }
                try samples.add(rule, Array(frame[start..<reader.offset]))
                isFirst = false
            }
        }
    }

    /// What a node stores while a snapshot comes in, and after it.
    private func addIntake(of frames: [[UInt8]], _ fixture: ExportFixture, _ samples: inout Samples) async throws {
        let engine = MemoryEngine()
        let node = try NodeSpace(
            space: fixture.space, engine: UnclosedEngine(engine), signer: fixture.nodeKey, options: pruning)
        defer { node.close() }
        let intake = try SnapshotIntake(node, from: fixture.pivotKey.author)
        for (index, frame) in frames.enumerated() {
            try await intake.take(frame)
            if index == frames.count / 2 {
                #expect(try await intake.place != nil)
                try samples.add("stored-intake", metadata: "intake", of: engine)
            }
        }
        #expect(try await intake.finish())
        // Not checked yet, most of the time.
        try samples.add("stored-proofs", metadata: "proofs", of: engine)
        try await eventually("proofs are checked") { node.proofStatus?.state == .verified }
        try samples.add("stored-proofs", metadata: "proofs", of: engine)
        try samples.add("stored-retention", metadata: "retention", of: engine)
        try samples.add("stored-link", engine, .chain)
    }
}
