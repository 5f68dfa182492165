import GimbalCRDT
import GimbalSigning
import GimbalStorage
import GimbalWire

/// Makes a snapshot's bytes, a frame of whole items at a time, from some place on. What is held is one frame and a few hashes.
public struct SnapshotReader: Sendable {
    private enum Phase {
        case head
        case entries(after: UInt64)
        case replicas(ArraySlice<(replica: ReplicaID, head: Head)>)
        case refused(from: [UInt8])
        case subtrees(LogParts, GapFinder)
        case done
    }

    private let source: SnapshotSource
    private let primitives = SodiumPrimitives()
    private let frameBytes: Int
    private var phase: Phase
    private var entryCount: UInt64 = 0
    private var refusedCount: UInt64 = 0
    private var subtreeCount: UInt64 = 0

    /// - Parameters:
    ///   - source: what is shown.
    ///   - section: where to begin.
    ///   - frameBytes: of a frame, about.
    public init(_ source: SnapshotSource, from section: SnapshotPlace.Section, frameBytes: Int = SnapshotItem.frameBytes) {
        self.source = source
        self.frameBytes = frameBytes
        switch section {
        case .head: phase = .head
        case .entries(let after, let count):
            phase = .entries(after: after)
            entryCount = count
        case .replicas(let count):
            phase = .replicas(source.versionVector.sorted[...])
            entryCount = count
        }
    }

    /// The next frame; nil after the last.
    public mutating func next() throws(StoreError) -> [UInt8]? {
        var writer = CBORWriter(reserving: frameBytes + (64 << 10))
        while writer.bytes.count < frameBytes {
            switch phase {
            case .head:
                SnapshotItem.head(source.head).encode(into: &writer)
                phase = .entries(after: 0)
            case .entries(let after): try addEntries(after: after, to: &writer)
            case .replicas(let rest): addReplicas(rest, to: &writer)
            case .refused(let from): try addRefused(from: from, to: &writer)
            case .subtrees(let parts, let finder): try addSubtrees(parts, finder, to: &writer)
            case .done: return writer.bytes.isEmpty ? nil : writer.bytes
            }
        }
        return writer.bytes
    }

    private mutating func addEntries(after: UInt64, to writer: inout CBORWriter) throws(StoreError) {
        var last = after
        var isFull = false
        try SpaceLoader(view: source.view).scan(
            from: RecordKey.number(after + 1), until: RecordKey.number(source.checkpoint.position + 1), in: .log, "log"
        ) { key, value throws(WireError) in
            last = RecordKey.number(from: key)
            if let shown = try source.shown(value) {
                SnapshotItem.encode(tree: 0, position: last, entry: shown, into: &writer)
                entryCount += 1
            }
            isFull = writer.bytes.count >= frameBytes
            return !isFull
        }
        phase = isFull ? .entries(after: last) : .replicas(source.versionVector.sorted[...])
    }

    private mutating func addReplicas(_ rest: ArraySlice<(replica: ReplicaID, head: Head)>, to writer: inout CBORWriter) {
        var rest = rest
        while writer.bytes.count < frameBytes, let next = rest.popFirst() {
            SnapshotItem.replica(next.replica, next.head).encode(into: &writer)
        }
        phase = rest.isEmpty ? .refused(from: []) : .replicas(rest)
    }

    private mutating func addRefused(from lower: [UInt8], to writer: inout CBORWriter) throws(StoreError) {
        var next: [UInt8]?
        try SpaceLoader(view: source.view).scan(from: lower, until: nil, in: .refused, "refused dots") {
            key, value throws(WireError) in
            guard writer.bytes.count < frameBytes else {
                next = key
                return false
            }
            let dot = try SpaceLoader.dot(key)
            SnapshotItem.refused(dot, reason: String(decoding: value, as: UTF8.self)).encode(into: &writer)
            refusedCount += 1
            return true
        }
        if let next {
            phase = .refused(from: next)
            return
        }
        SnapshotItem.stateEnd(
            entries: entryCount, replicas: UInt64(source.versionVector.heads.count), refused: refusedCount
        ).encode(into: &writer)
        let first = source.checkpoint.firstPosition
        phase = .subtrees(
            LogParts(source.view, first..<(source.checkpoint.position + 1)), GapFinder(first: first))
    }

    private mutating func addSubtrees(
        _ parts: LogParts, _ finder: GapFinder, to writer: inout CBORWriter
    ) throws(StoreError) {
        var (parts, finder) = (parts, finder)
        func emit(_ gaps: [LogSubtree]) {
            for gap in gaps { SnapshotItem.subtree(tree: 0, gap).encode(into: &writer) }
            subtreeCount += UInt64(gaps.count)
        }
        while writer.bytes.count < frameBytes {
            guard let part = try parts.next() else {
                if let tail = finder.finish(primitives) { emit([tail]) }
                SnapshotItem.end(subtrees: subtreeCount).encode(into: &writer)
                phase = .done
                return
            }
            guard part.first == finder.position else {
                throw .damaged(record: "log", WireError(.inconsistent, at: 0, "entries are missing at \(finder.position)"))
            }
            switch part {
            case .subtree(let subtree):
                emit(finder.hide(subtree.hash, leaves: subtree.leaves, primitives).map { [$0] } ?? [])
            case .entry(let position, let bytes):
                let (isShown, leaf) = try decoding("log entry \(position)") { () throws(WireError) in
                    let entry = try LogEntry(decoding: bytes)
                    return (try source.isShown(entry), entry.leaf(primitives))
                }
                emit(isShown ? finder.show() : finder.hide(leaf, primitives).map { [$0] } ?? [])
            }
        }
        phase = .subtrees(parts, finder)
    }
}
