import GimbalCRDT
import GimbalReplication
import GimbalStorage
import GimbalWire

/// Takes from stored log entries what proves nothing any more: operations that are dead become hashes, entries without a live
/// operation become hashes of the log tree, and their checkpoints and links go. What stays is the proof of every live
/// operation, and of every record of the space's own, superseded ones included: they say who might do what at which place.
struct LogPruner {
    let engine: any StorageEngine
    /// Entries are below it. Checkpoints from one below it on stay: cursors are checked against them.
    let horizon: UInt64
    private let primitives: any Primitives
    private(set) var batch = StorageBatch()
    private var subtrees: SubtreeStore
    private(set) var keptCount: UInt64 = 0
    private(set) var dropped: [UInt64] = []

    init(engine: any StorageEngine, firstPosition: UInt64, horizon: UInt64, _ primitives: any Primitives) {
        self.engine = engine
        self.horizon = horizon
        self.primitives = primitives
        subtrees = SubtreeStore(view: engine, firstPosition: firstPosition, primitives)
    }

    /// An entry as it is stored.
    struct Stored {
        var position: UInt64
        var bytes: [UInt8]
    }

    /// Stored entries of a range, up to some number and bytes.
    static func entries(
        _ engine: any StorageEngine, from lower: UInt64, until upper: UInt64, _ options: RetentionOptions
    ) throws(StoreError) -> [Stored] {
        var found: [Stored] = []
        guard lower < upper else { return found }
        var bytes = 0
        try SpaceLoader(view: engine).scan(
            from: RecordKey.number(lower), until: RecordKey.number(upper), in: .log, "log"
        ) { key, value in
            found.append(Stored(position: RecordKey.number(from: key), bytes: value))
            bytes += value.count
            return found.count < options.entriesPerStep && bytes < options.bytesPerStep
        }
        return found
    }

    /// Prunes entries, in the order of positions; `batch` has the changes.
    mutating func prune(_ entries: [Stored]) throws(StoreError) {
        for stored in entries { try prune(stored) }
        for change in subtrees.changes { batch.change(RecordKey.number(change.first), change.value, in: .subtrees) }
        try dropCheckpoints()
    }

    private mutating func prune(_ stored: Stored) throws(StoreError) {
        let what = "log entry \(stored.position)"
        var entry = try decoding(what) { () throws(WireError) in try LogEntry(decoding: stored.bytes) }
        guard case .delta(let sealed) = entry.body else {
            keptCount += 1
            return
        }
        let shown = try decoding(what) { () throws(WireError) in try sealed.shownPaths { _ in true } }
        let kept = try live(shown, sealed.claimedHeader)
        guard !kept.isEmpty else {
            try drop(stored.position, entry, sealed)
            return
        }
        keptCount += 1
        guard kept.count < shown.count else { return }
        entry.body = .delta(
            try decoding(what) { () throws(WireError) in
                try UnsignedDelta(sealed, primitives).pruned(keeping: kept.contains, primitives)
            })
        batch.put(entry.encoded, at: RecordKey.number(stored.position), in: .log)
    }

    /// Which of the shown operations still stand, or are records of the space's own.
    private func live(_ shown: [(index: Int, path: Path)], _ header: DeltaHeader) throws(StoreError) -> Set<Int> {
        let states = try storing { () throws(StorageError) in try engine.load(shown.map(\.path.bytes), from: .state) }
        var kept: Set<Int> = []
        for (operation, bytes) in zip(shown, states) {
            if operation.path.isReserved {
                kept.insert(operation.index)
            } else if let bytes {
                let dots = try decoding("state of \(operation.path)") { () throws(WireError) in try StateRecord.dots(bytes) }
                if dots.contains(header.dot(at: operation.index)) { kept.insert(operation.index) }
            }
        }
        return kept
    }

    private mutating func drop(_ position: UInt64, _ entry: LogEntry, _ sealed: SealedDelta) throws(StoreError) {
        dropped.append(position)
        batch.delete(RecordKey.number(position), in: .log)
        try subtrees.drop(position, leaf: entry.leaf(primitives))
        let header = sealed.claimedHeader
        let upper = RecordKey.replica(header.replica) + [UInt8](repeating: 0xff, count: 9)
        let head = try storing { () throws(StorageError) in try engine.last(.chain, below: upper) }
        let link = RecordKey.link(header.replica, lastSequence: header.lastSequence)
        // The last link of a replica is its head.
        if head?.key != link { batch.delete(link, in: .chain) }
    }

    /// A checkpoint says when the entries of its commit were accepted; without one it says nothing.
    private mutating func dropCheckpoints() throws(StoreError) {
        let gone = Set(dropped)
        let log = LogReader(engine: engine)
        let loader = SpaceLoader(view: engine)
        var handled: UInt64 = 0
        for position in dropped where position > handled {
            guard let checkpoint = try log.firstCheckpoint(after: position - 1, loader), checkpoint.position + 1 < horizon else {
                return
            }
            handled = checkpoint.position
            let before = try storing { () throws(StorageError) in
                try engine.last(.checkpoints, below: RecordKey.number(checkpoint.position))
            }
            let first = before.map { RecordKey.number(from: $0.key) + 1 } ?? 1
            var isNeeded = false
            try loader.scan(
                from: RecordKey.number(first), until: RecordKey.number(checkpoint.position + 1), in: .log, "log"
            ) { key, _ in
                isNeeded = !gone.contains(RecordKey.number(from: key))
                return !isNeeded
            }
            if !isNeeded { batch.delete(RecordKey.number(checkpoint.position), in: .checkpoints) }
        }
    }
}

/// The hashes that stand for dropped entries, as they are stored: complete subtrees, two of one parent written as it.
struct SubtreeStore {
    private let view: any StorageView
    private let firstPosition: UInt64
    private let primitives: any Primitives
    /// By first position; nil for those that went into a greater one.
    private var changed: [UInt64: LogSubtree?] = [:]

    init(view: any StorageView, firstPosition: UInt64, _ primitives: any Primitives) {
        self.view = view
        self.firstPosition = firstPosition
        self.primitives = primitives
    }

    mutating func drop(_ position: UInt64, leaf: Digest) throws(StoreError) {
        var subtree = LogSubtree(first: position, leaves: 1, hash: leaf)
        while true {
            let isLeft = ((subtree.first - firstPosition) / subtree.leaves).isMultiple(of: 2)
            let twinFirst = isLeft ? subtree.first + subtree.leaves : subtree.first - subtree.leaves
            guard let twin = try stored(twinFirst), twin.leaves == subtree.leaves else { break }
            let (left, right) = isLeft ? (subtree, twin) : (twin, subtree)
            changed[twinFirst] = .some(nil)
            changed[subtree.first] = .some(nil)
            subtree = LogSubtree(
                first: left.first, leaves: left.leaves * 2, hash: MerkleTree.node(left.hash, right.hash, primitives))
        }
        changed[subtree.first] = .some(subtree)
    }

    private func stored(_ first: UInt64) throws(StoreError) -> LogSubtree? {
        if let known = changed[first] { return known }
        let bytes = try storing { () throws(StorageError) in try view.load([RecordKey.number(first)], from: .subtrees)[0] }
        return try bytes.map { bytes throws(StoreError) in
            try decoding("subtree \(first)") { () throws(WireError) in try Self.decode(bytes, first: first) }
        }
    }

    /// What to write: nil deletes.
    var changes: [(first: UInt64, value: [UInt8]?)] {
        changed.sorted { $0.key < $1.key }.map { ($0.key, $0.value.map(Self.encode)) }
    }

    static func encode(_ subtree: LogSubtree) -> [UInt8] {
        var writer = CBORWriter(reserving: 48)
        writer.array(count: 2)
        writer.unsigned(subtree.leaves)
        writer.byteString(subtree.hash)
        return writer.bytes
    }

    static func decode(_ bytes: [UInt8], first: UInt64) throws(WireError) -> LogSubtree {
        var reader = CBORReader(bytes)
        try reader.array(of: 2)
        let leaves = try reader.ordinal()
        guard leaves > 0 else { throw WireError(.inconsistent) }
        return LogSubtree(first: first, leaves: leaves, hash: try reader.fixed(Digest.self))
    }
}
