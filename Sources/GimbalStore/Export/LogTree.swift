import GimbalCRDT
import GimbalWire

/// A whole log tree, for inclusion proofs: about 80 bytes a part while it is held. Parts are entries, or what stands for several
/// that were dropped.
struct LogTree {
    private struct Node {
        var hash: Digest
        /// Of its two halves; -1 for a part.
        var left: Int32 = -1
        var right: Int32 = -1
    }

    private var nodes: [Node] = []
    private let range: Range<UInt64>
    private var rootIndex: Int32 = -1

    /// Nil when the parts, in order, do not make up the range by whole subtrees of its split.
    init?(_ parts: [LogSubtree], of range: Range<UInt64>, _ primitives: any Primitives) {
        self.range = range
        nodes.reserveCapacity(parts.count * 2)
        guard !range.isEmpty else { return }
        var rest = parts[...]
        guard let root = build(range, &rest, primitives), rest.isEmpty else { return nil }
        rootIndex = root
    }

    private mutating func build(
        _ range: Range<UInt64>, _ rest: inout ArraySlice<LogSubtree>, _ primitives: any Primitives
    ) -> Int32? {
        guard let part = rest.first, part.first == range.lowerBound, part.end <= range.upperBound else { return nil }
        let count = range.upperBound - range.lowerBound
        if part.leaves == count {
            rest.removeFirst()
            nodes.append(Node(hash: part.hash))
            return Int32(nodes.count - 1)
        }
        guard count > 1 else { return nil }
        let middle = range.lowerBound + MerkleTree.split(count)
        guard let left = build(range.lowerBound..<middle, &rest, primitives),
            let right = build(middle..<range.upperBound, &rest, primitives)
        else { return nil }
        nodes.append(
            Node(
                hash: MerkleTree.node(nodes[Int(left)].hash, nodes[Int(right)].hash, primitives), left: left, right: right))
        return Int32(nodes.count - 1)
    }

    /// Zero for the empty tree.
    var root: Digest { rootIndex < 0 ? .zero : nodes[Int(rootIndex)].hash }

    /// The siblings from an entry's leaf up to the root (RFC 9162 §2.1.3.1).
    func inclusionPath(_ position: UInt64) -> [Digest] {
        var path: [Digest] = []
        var range = range
        var node = nodes[Int(rootIndex)]
        while node.left >= 0 {
            let middle = range.lowerBound + MerkleTree.split(range.upperBound - range.lowerBound)
            let (left, right) = (nodes[Int(node.left)], nodes[Int(node.right)])
            let isLeft = position < middle
            path.append(isLeft ? right.hash : left.hash)
            node = isLeft ? left : right
            range = isLeft ? range.lowerBound..<middle : middle..<range.upperBound
        }
        return path.reversed()
    }
}
