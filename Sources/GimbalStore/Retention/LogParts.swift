import GimbalCRDT
import GimbalReplication
import GimbalStorage
import GimbalWire

/// Reads a stored log tree in order, entries and the hashes that stand for dropped ones, a stretch at a time.
struct LogParts {
    enum Part {
        /// As it is stored.
        case entry(position: UInt64, bytes: [UInt8])
        case subtree(LogSubtree)

        var first: UInt64 {
            switch self {
            case .entry(let position, _): position
            case .subtree(let subtree): subtree.first
            }
        }
    }

    private let view: any StorageView
    private let end: UInt64
    private var nextEntry: UInt64
    private var nextSubtree: UInt64
    private var entries: ArraySlice<Part> = []
    private var subtrees: ArraySlice<Part> = []
    private var hasMoreEntries = true
    private var hasMoreSubtrees = true

    private static let stretch = 256
    private static let stretchBytes = 4 << 20

    /// - Parameter range: positions.
    init(_ view: any StorageView, _ range: Range<UInt64>) {
        self.view = view
        nextEntry = range.lowerBound
        nextSubtree = range.lowerBound
        end = range.upperBound
    }

    /// The next part; nil after the last.
    mutating func next() throws(StoreError) -> Part? {
        if entries.isEmpty, hasMoreEntries { try readEntries() }
        if subtrees.isEmpty, hasMoreSubtrees { try readSubtrees() }
        guard let entry = entries.first else { return subtrees.popFirst() }
        guard let subtree = subtrees.first, subtree.first < entry.first else { return entries.popFirst() }
        return subtrees.popFirst()
    }

    private mutating func readEntries() throws(StoreError) {
        var found: [Part] = []
        var bytes = 0
        try SpaceLoader(view: view).scan(
            from: RecordKey.number(nextEntry), until: RecordKey.number(end), in: .log, "log"
        ) { key, value in
            found.append(.entry(position: RecordKey.number(from: key), bytes: value))
            bytes += value.count
            return found.count < Self.stretch && bytes < Self.stretchBytes
        }
        hasMoreEntries = !found.isEmpty
        nextEntry = found.last.map { $0.first + 1 } ?? end
        entries = found[...]
    }

    private mutating func readSubtrees() throws(StoreError) {
        var found: [Part] = []
        try SpaceLoader(view: view).scan(
            from: RecordKey.number(nextSubtree), until: RecordKey.number(end), in: .subtrees, "subtrees"
        ) { key, value throws(WireError) in
            found.append(.subtree(try SubtreeStore.decode(value, first: RecordKey.number(from: key))))
            return found.count < Self.stretch
        }
        hasMoreSubtrees = !found.isEmpty
        nextSubtree = found.last.map { $0.first + 1 } ?? end
        subtrees = found[...]
    }
}
