import GimbalCRDT
import GimbalReplication
import GimbalStorage
import GimbalWire

/// What one pass over the log tells an export: the tree's parts, which entries hold operations that are to be shown, and
/// where the pivot wrote the space's own records, superseded ones included: they prove each author's grants at its place.
struct LogSurvey {
    /// Entries as subtrees of one leaf, and what stands for dropped ones.
    private(set) var parts: [LogSubtree] = []
    /// Rising.
    private(set) var positions: [UInt64] = []
    private(set) var authors: Set<AuthorID> = []
    private(set) var foundCount = 0
    private(set) var records: [RecordPlace] = []

    /// One write of a record of the space's own.
    struct RecordPlace {
        var path: Path
        var position: UInt64
        var dot: Dot
    }

    init(
        view: any StorageView, _ checkpoint: Checkpoint, showing dots: DotSelection, _ primitives: any Primitives
    ) throws(StoreError) {
        var survey = Self()
        var parts = LogParts(view, checkpoint.firstPosition..<(checkpoint.position + 1))
        while let part = try parts.next() {
            switch part {
            case .subtree(let subtree): survey.parts.append(subtree)
            case .entry(let position, let bytes):
                try decoding("log entry \(position)") { () throws(WireError) in
                    try survey.take(LogEntry(decoding: bytes), at: position, dots, primitives)
                }
            }
        }
        self = survey
    }

    private init() {}

    private mutating func take(
        _ entry: LogEntry, at position: UInt64, _ dots: DotSelection, _ primitives: any Primitives
    ) throws(WireError) {
        parts.append(LogSubtree(first: position, leaves: 1, hash: entry.leaf(primitives)))
        guard case .delta(let sealed) = entry.body else { return }
        let header = sealed.claimedHeader
        let found = dots.sequences(in: header).count
        if found > 0 {
            foundCount += found
            positions.append(position)
            authors.insert(header.replica.author)
        }
        for (index, path) in try sealed.shownPaths(where: { $0.first == UInt8(ascii: "_") }) {
            records.append(RecordPlace(path: path, position: position, dot: header.dot(at: index)))
        }
    }
}

/// A set of dots that takes 8 bytes for each.
struct DotSelection {
    private let sequences: [ReplicaID: [UInt64]]
    let count: Int

    /// Any order.
    init(_ sequences: [ReplicaID: [UInt64]]) {
        self.sequences = sequences.mapValues { unsorted in
            var sorted: [UInt64] = []
            sorted.reserveCapacity(unsorted.count)
            for sequence in unsorted.sorted() where sorted.last != sequence { sorted.append(sequence) }
            return sorted
        }
        count = self.sequences.values.reduce(0) { $0 + $1.count }
    }

    /// Those that a delta with this header has, rising.
    func sequences(in header: DeltaHeader) -> ArraySlice<UInt64> {
        guard let sorted = sequences[header.replica] else { return [] }
        func firstIndex(notBelow sequence: UInt64) -> Int {
            var range = 0..<sorted.count
            while !range.isEmpty {
                let middle = range.lowerBound + range.count / 2
                range = sorted[middle] < sequence ? (middle + 1)..<range.upperBound : range.lowerBound..<middle
            }
            return range.lowerBound
        }
        return sorted[firstIndex(notBelow: header.firstSequence)..<firstIndex(notBelow: header.lastSequence + 1)]
    }
}
