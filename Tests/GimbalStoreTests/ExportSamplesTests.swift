import Foundation
import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalStorage
import GimbalStore
import GimbalWire
import Testing

private let samplesFolder = ProcessInfo.processInfo.environment["GIMBAL_SAMPLES"]

/// Writes real bytes of every kind, named RULE.NUMBER.cbor, for Tests/Interop/check_cddl.py.
@Suite struct ExportSamplesTests {
    @Test(.enabled(if: samplesFolder != nil, "GIMBAL_SAMPLES names a folder"))
    func samplesOfEveryKind() async throws {
        let folder = try #require(samplesFolder)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        var samples = Samples(folder: folder)
        let fixture = try await lived()
        defer { fixture.close() }
        try addWire(fixture, &samples)
        try addBundle(fixture, &samples)
        try addStored(fixture, &samples)
        try await addSnapshot(fixture, &samples)
    }

    /// A space in which everything that leaves bytes has happened.
    private func lived() async throws -> ExportFixture {
        let fixture = try await ExportFixture()
        try await fixture.setPivot("things/1", #"{"a":[1,2.5,"ü"]}"#)
        try await fixture.setPivot("one", "1")
        try await fixture.setPivot("gone", "true")
        try await fixture.writePivot(.delete(ExportFixture.path("gone")))
        try await fixture.pull()
        try await fixture.setNode("things/1", "2")
        try await fixture.setNode("one", "2")
        // Taken back before the node's writes arrive: one of them is refused.
        try await fixture.admit(fixture.nodeKey.author, name: "node", writes: ["things/*"])
        try await fixture.push(through: 2)
        for number in 0..<70 { try await fixture.setPivot("things/\(number)", "\(number)") }
        try await fixture.writePivot(.delete(ExportFixture.path("things/1")))
        try await fixture.pull()
        #expect(try fixture.node.deadLetters().count == 1)
        try await fixture.admit(fixture.nodeKey.author, name: "node")
        try await fixture.pull()
        try await fixture.setNode("things/2", "3")
        try await fixture.setNode("one", "3")
        _ = try await fixture.node.write(.delete(ExportFixture.path("things/3"))).get()
        try await fixture.node.sealOutbox()
        return fixture
    }

    private func addWire(_ fixture: ExportFixture, _ samples: inout Samples) throws {
        let primitives = SodiumPrimitives()
        let path = ExportFixture.path("things/1")
        let register = ExportFixture.path("one")
        let stamp = HybridTimestamp.greatest
        let greatest = Limits.ordinalLimit - 1
        let observed: [GimbalWire.Operation.Observed] = [
            .init(replicaIndex: 0, sequence: 1), .init(replicaIndex: 300, sequence: greatest),
        ]
        let actions: [(Path, GimbalWire.Operation.Action)] = [
            (register, .assign(value: Array("1".utf8), created: stamp)), (register, .clear),
            (path, .put(value: Array("{}".utf8), created: .zero, observed: observed)), (path, .remove(observed: [])),
            (ExportFixture.path("_members/a"), .remove(observed: observed)),
        ]
        for (path, action) in actions {
            try samples.add("operation", GimbalWire.Operation(stampOffset: 70_000, path: path, action: action).encoded)
        }
        try samples.add("certificate", fixture.certificate.payload)
        let join = LogEntry(body: .join([.zero, .zero]), cap: .zero, refusals: [])
        try samples.add("log-entry", join.encoded)
        let checkpoint = try #require(fixture.node.checkpoint)
        try samples.add("checkpoint", checkpoint.payload)
        for verdict in Answer.Verdict.allCases {
            let head = Head(sequence: 3, headerHash: .zero)
            let nonce = Array(repeating: UInt8(9), count: 24)
            try samples.add("answer", fixture.pivot.answer(verdict, to: nonce, head: head, detail: "why").payload)
        }
        for replica in [fixture.node.replica, nil] {
            var position: UInt64 = 0
            while let page = try fixture.pivot.page(after: position, receiptsFor: replica) {
                position = page.end
                try samples.add("page", page.bytes)
                for entry in try ReadPage(page.bytes).entries {
                    try samples.add("log-entry", entry.encoded)
                    guard case .delta(let delta) = entry.body else { continue }
                    try samples.add("sealed-delta", delta.bytes)
                    try samples.add("delta-header", delta.claimedHeader.encoded)
                    let pruned = try delta.verified(primitives).pruned(keeping: { _ in false }, primitives)
                    try samples.add("sealed-delta", pruned.sealed.bytes)
                    try samples.add("push-request", PushRequest(cursor: fixture.node.cursor, deltas: [delta]).encoded)
                    try samples.add("log-leaf", leaf(of: entry, delta, primitives))
                }
            }
        }
    }

    /// Built here anew: the hash of these bytes must be the leaf.
    private func leaf(of entry: LogEntry, _ delta: SealedDelta, _ primitives: SodiumPrimitives) throws -> [UInt8] {
        var writer = CBORWriter()
        writer.array(count: 4)
        writer.unsigned(1)
        writer.stamp(entry.cap)
        writer.array(count: entry.refusals.count * 2)
        for refusal in entry.refusals {
            writer.unsigned(refusal.index)
            writer.text(refusal.reason)
        }
        writer.byteString(delta.headerHash(primitives))
        #expect(MerkleTree.leaf(writer.bytes.span, primitives) == entry.leaf(primitives))
        return writer.bytes
    }

    private func addBundle(_ fixture: ExportFixture, _ samples: inout Samples) throws {
        let bytes = try file(fixture.node.export(), ["things/*"], includingOutbox: true)
        #expect(verify(bytes, space: fixture.space).report.isValid)
        try Data(bytes).write(to: URL(fileURLWithPath: "\(samples.folder)/sample.bundle"))
        var reader = CBORReader(bytes)
        var isFirst = true
        while !reader.isAtEnd {
            let start = reader.offset
            try skipItem(&reader)
            let item = Array(bytes[start..<reader.offset])
            switch try BundleItem(decoding: item, isFirst: isFirst) {
            case .head: try samples.add("bundle-head", item)
            case .entry: try samples.add("bundle-entry", item)
            case .unplaced: try samples.add("bundle-unplaced", item)
            case .end: try samples.add("bundle-end", item)
            }
            isFirst = false
        }
    }

    /// Any item, tags and maps included.
    private func skipItem(_ reader: inout CBORReader) throws {
        switch try reader.nextMajorType() {
        case 4:
            for _ in 0..<(try reader.arrayCount(upTo: .max, "items")) { try skipItem(&reader) }
        case 5: try reader.emptyMap()
        case 6:
            try reader.tag(18)
            try skipItem(&reader)
        default: _ = try reader.skip()
        }
    }

    private func addStored(_ fixture: ExportFixture, _ samples: inout Samples) throws {
        let (pivot, node) = (fixture.pivotEngine, fixture.nodeEngine)
        try samples.add("stored-state", pivot, .state)
        try samples.add("stored-overlay", node, .overlay)
        try samples.add("stored-pending", node, .outbox)
        try samples.add("stored-sealed", node, .sealed)
        try samples.add("stored-link", node, .chain)
        try samples.add("stored-dead-letter", node, .deadLetters)
        try samples.add("checkpoint", pivot, .checkpoints)
        try samples.add("log-entry", node, .log)
        try samples.add("stored-pivot", metadata: "record", of: pivot)
        try samples.add("stored-node", metadata: "record", of: node)
        try samples.add("stored-base", metadata: "base", of: pivot)
        try samples.add("stored-digest", metadata: "digest", of: pivot)
        try pivot.scan(.metadata, from: Array("digest/".utf8), until: Array("digest0".utf8)) { _, value throws(StorageError) in
            try? samples.add("stored-digest-change", value)
            return true
        }
        try pivot.scan(.metadata, from: Array("epoch/".utf8), until: Array("epoch0".utf8)) { _, value throws(StorageError) in
            try? samples.add("stored-epoch", value)
            return true
        }
    }
}
