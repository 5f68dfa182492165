import GimbalCRDT
import GimbalWire

/// A whole log tree, for inclusion proofs: about 64 bytes an entry while it is held.
struct LogTree {
    /// The leaves first; above each level its pairs hashed, a last one without a pair carried up unchanged.
    private let levels: [[Digest]]

    init(leaves: [Digest], _ primitives: any Primitives) {
        var levels = [leaves]
        while let last = levels.last, last.count > 1 {
            levels.append(
                stride(from: 0, to: last.count, by: 2).map { index in
                    index + 1 < last.count ? MerkleTree.node(last[index], last[index + 1], primitives) : last[index]
                })
        }
        self.levels = levels
    }

    /// Zero for the empty tree.
    var root: Digest { levels.last?.first ?? .zero }

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
