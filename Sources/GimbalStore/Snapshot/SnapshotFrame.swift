import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalStorage
import GimbalWire

/// One frame of a snapshot taken apart into what is staged of it: all that can be done without the frames before it, and
/// therefore on any core.
struct SnapshotFrame: Sendable {
    /// One record a live operation, in the order of the log: siblings are still apart.
    var states = StagedRun(.state)
    /// For each record of `states`: 64 bits of its path's hash.
    var pathHashes: [UInt64] = []
    var log = StagedRun(.log)
    var links = StagedRun(.chain)
    /// Of the live operations here.
    var digest = StateDigest()
    var greatestStamp = HybridTimestamp.zero
    /// What the pivot wrote on the space's own records: every operation, superseded ones included.
    var recordEffects: [(path: Path, effect: Effect)] = []
    var positions: [UInt64] = []
    var replicas: [(replica: ReplicaID, head: Head)] = []
    var refused: [(dot: Dot, reason: String)] = []
    var stateEnd: (entries: UInt64, replicas: UInt64, refused: UInt64)?
    var subtrees: [LogSubtree] = []
    var end: UInt64?
    var head: SnapshotHead?

    /// - Parameter isFirst: whether the snapshot begins in this frame.
    init(
        _ bytes: [UInt8], isFirst: Bool, in space: SpaceID, _ primitives: any Primitives
    ) throws(WireError) {
        var reader = CBORReader(bytes)
        var isHead = isFirst
        while !reader.isAtEnd {
            let start = reader.offset
            switch try SnapshotItem(from: &reader, isFirst: isHead) {
            case .head(let head): self.head = head
            case .entry(let tree, let position, let entry):
                guard tree == 0 else { throw WireError(.inconsistent, at: start, "a tree that the head does not name") }
                try take(entry, at: position, in: space, primitives)
            case .replica(let replica, let head): replicas.append((replica, head))
            case .refused(let dot, let reason): refused.append((dot, reason))
            case .stateEnd(let entries, let replicas, let refused): stateEnd = (entries, replicas, refused)
            case .subtree(let tree, let subtree):
                guard tree == 0 else { throw WireError(.inconsistent, at: start, "a tree that the head does not name") }
                subtrees.append(subtree)
            case .end(let count): end = count
            }
            isHead = false
        }
    }

    private mutating func take(
        _ entry: LogEntry, at position: UInt64, in space: SpaceID, _ primitives: any Primitives
    ) throws(WireError) {
        positions.append(position)
        log.append(RecordKey.number(position), entry.encoded)
        guard case .delta(let sealed) = entry.body else { return }
        let delta = try UnsignedDelta(sealed, primitives)
        let header = delta.header
        guard header.space == space else { throw WireError(.wrongSpace, "a delta of \(header.space)") }
        for refusal in entry.refusals where refusal.index >= header.count || delta.isShown(refusal.index) {
            throw WireError(.inconsistent, at: 0, "a refused operation is shown")
        }
        let link = ChainLink(
            replica: header.replica, firstSequence: header.firstSequence, lastSequence: header.lastSequence,
            headerHash: delta.headerHash, position: position)
        links.append(RecordKey.link(link.replica, lastSequence: link.lastSequence), CommitRecord.encode(link))
        for index in 0..<header.count {
            if let outline = try delta.outline(index) {
                try take(outline, index, of: delta, cap: entry.cap, primitives)
            }
        }
    }

    private mutating func take(
        _ outline: OperationOutline, _ index: Int, of delta: UnsignedDelta, cap: HybridTimestamp, _ primitives: any Primitives
    ) throws(WireError) {
        let bytes = delta.sealed.bytes
        let header = delta.header
        let (raw, overflow) = header.stamp.rawValue.addingReportingOverflow(outline.stampOffset)
        guard !overflow, HybridTimestamp(rawValue: raw).isWellFormed else { throw WireError(.badStamp) }
        guard let path = Path(bytes[outline.path]) else { throw WireError(.badPath, at: outline.path.lowerBound) }
        if path.isReserved {
            guard let operation = try delta.operation(index) else { return }
            let effect = operation.effect(
                dot: header.dot(at: index), stamp: min(HybridTimestamp(rawValue: raw), cap), hash: outline.hash, header: header)
            recordEffects.append((path, effect))
            return
        }
        guard outline.leavesWrite else { throw WireError(.inconsistent, at: outline.path.lowerBound, "a removal is not live") }
        let stamp = min(HybridTimestamp(rawValue: raw), cap)
        greatestStamp = max(greatestStamp, stamp)
        let write = Write(
            dot: header.dot(at: index), stamp: stamp, created: outline.created == .zero ? stamp : min(outline.created, stamp),
            operationHash: outline.hash, value: nil)
        digest.replace([], with: [write], on: path, primitives)
        states.append(bytes[outline.path], StateRecord.encode(write, value: outline.value.map { bytes[$0] }))
        pathHashes.append(PathFilter.hash(bytes[outline.path]))
    }
}

/// Tells which paths were certainly not seen before (B. Bloom, "Space/Time Trade-offs in Hash Coding with Allowable Errors",
/// 1970). Of fixed size: with very many paths it answers "maybe" more often, which costs a look-up each.
package struct PathFilter: Sendable {
    private static let bitCount: UInt64 = 1 << 25
    private static let probes: UInt64 = 4
    /// Empty until the first path: what is refused before it costs no memory.
    private var words: [UInt64] = []

    package init() {}

    /// FNV-1a, finished by SplitMix64's mixer.
    package static func hash(_ path: ArraySlice<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in path { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        hash = (hash ^ (hash >> 30)) &* 0xbf58_476d_1ce4_e5b9
        hash = (hash ^ (hash >> 27)) &* 0x94d0_49bb_1331_11eb
        return hash ^ (hash >> 31)
    }

    /// Adds a path. False when it was certainly not there.
    package mutating func insert(_ hash: UInt64) -> Bool {
        if words.isEmpty { words = [UInt64](repeating: 0, count: Int(Self.bitCount / 64)) }
        var wasThere = true
        let step = hash >> 32 | 1
        for probe in 0..<Self.probes {
            let bit = (hash &+ probe &* step) % Self.bitCount
            let mask: UInt64 = 1 << (bit % 64)
            if words[Int(bit / 64)] & mask == 0 { wasThere = false }
            words[Int(bit / 64)] |= mask
        }
        return wasThere
    }
}
