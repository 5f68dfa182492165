import GimbalCRDT
import GimbalSigning
import GimbalStorage
import GimbalWire

/// The whole log tree up to a position, for inclusion proofs: about 64 bytes an entry while it is held.
struct LogTree {
    /// The leaves first; above each level its pairs hashed, a last one without a pair carried up unchanged.
    private let levels: [[Digest]]

    /// Reads the log from its first entry to `position` and hashes it.
    init(view: any StorageView, firstPosition: UInt64, through position: UInt64, _ primitives: any Primitives) throws(StoreError) {
        var leaves: [Digest] = []
        try SpaceLoader(view: view).scan(
            from: RecordKey.number(firstPosition), until: RecordKey.number(position + 1), in: .log, "log"
        ) { _, value throws(WireError) in
            leaves.append(try LogEntry(decoding: value).leaf(primitives))
            return true
        }
        var levels = [leaves]
        while let last = levels.last, last.count > 1 {
            levels.append(
                stride(from: 0, to: last.count, by: 2).map { index in
                    index + 1 < last.count ? MerkleTree.node(last[index], last[index + 1], primitives) : last[index]
                })
        }
        self.levels = levels
    }

    /// The siblings from a leaf up to the root (RFC 9162 §2.1.3.1).
    func inclusionPath(_ index: Int) -> [Digest] {
        var path: [Digest] = []
        var index = index
        for level in levels.dropLast() {
            if level.indices.contains(index ^ 1) { path.append(level[index ^ 1]) }
            index >>= 1
        }
        return path
    }
}
