import GimbalCRDT

/// The hash tree of RFC 9162 §2.1, with BLAKE2b-256: leaf = H(0x00 ‖ bytes), node = H(0x01 ‖ left ‖ right), each range
/// split at the greatest power of two below its length.
public enum MerkleTree {
    public static func leaf(_ bytes: Span<UInt8>, _ primitives: any Primitives) -> Digest {
        primitives.hash(prefix: 0, bytes)
    }

    public static func node(_ left: Digest, _ right: Digest, _ primitives: any Primitives) -> Digest {
        var bytes = left.bytes
        bytes.append(contentsOf: right.bytes)
        return primitives.hash(prefix: 1, bytes.span)
    }

    /// The greatest power of two below `count`, for two or more.
    public static func split(_ count: UInt64) -> UInt64 {
        precondition(count > 1, "one leaf is not split")
        return 1 << UInt64(63 - (count - 1).leadingZeroBitCount)
    }

    /// The root of a whole tree of at least one leaf.
    public static func root(_ leaves: [Digest], _ primitives: any Primitives) -> Digest {
        var frontier = Frontier()
        for leaf in leaves { frontier.append(leaf, primitives) }
        return frontier.root(primitives)
    }

    /// The right edge of a growing tree: enough to append to it and to know its root, whatever its size.
    public struct Frontier: Hashable, Sendable {
        public private(set) var count: UInt64
        /// Roots of the complete subtrees, greatest first: one for each bit that is set in `count`.
        public private(set) var subtrees: [Digest]

        public init() {
            count = 0
            subtrees = []
        }

        /// Nil unless there is a subtree for each bit of `count`.
        public init?(count: UInt64, subtrees: [Digest]) {
            guard count.nonzeroBitCount == subtrees.count else { return nil }
            self.count = count
            self.subtrees = subtrees
        }

        public mutating func append(_ leaf: Digest, _ primitives: any Primitives) {
            var subtree = leaf
            for _ in 0..<count.trailingOnes {
                subtree = MerkleTree.node(subtrees.removeLast(), subtree, primitives)
            }
            subtrees.append(subtree)
            count += 1
        }

        /// Zero for the empty tree.
        public func root(_ primitives: any Primitives) -> Digest {
            guard var root = subtrees.last else { return .zero }
            for left in subtrees.dropLast().reversed() { root = MerkleTree.node(left, root, primitives) }
            return root
        }
    }

    /// The audit path of RFC 9162 §2.1.3.1: the siblings from the leaf up to the root.
    ///
    /// `subtree` gives the root of the leaves in a range; it is asked for complete ranges of the split only.
    public static func inclusionPath<Failure: Error>(
        of index: UInt64, in count: UInt64, subtree: (Range<UInt64>) throws(Failure) -> Digest
    ) throws(Failure) -> [Digest] {
        var path: [Digest] = []
        var range = 0..<count
        while range.count > 1 {
            let middle = range.lowerBound + split(UInt64(range.count))
            let left = range.lowerBound..<middle
            let right = middle..<range.upperBound
            if left.contains(index) {
                path.append(try subtree(right))
                range = left
            } else {
                path.append(try subtree(left))
                range = right
            }
        }
        return path.reversed()
    }

    /// The root that a leaf and its audit path lead to; nil when the path's length does not fit.
    public static func root(
        leaf: Digest, at index: UInt64, in count: UInt64, path: [Digest], _ primitives: any Primitives
    ) -> Digest? {
        guard index < count else { return nil }
        // RFC 9162 §2.1.3.2
        var position = index
        var last = count - 1
        var root = leaf
        for sibling in path {
            guard last > 0 else { return nil }
            if position & 1 == 1 || position == last {
                root = node(sibling, root, primitives)
                while position & 1 == 0, position != 0 {
                    position >>= 1
                    last >>= 1
                }
            } else {
                root = node(root, sibling, primitives)
            }
            position >>= 1
            last >>= 1
        }
        return last == 0 ? root : nil
    }
}

extension UInt64 {
    fileprivate var trailingOnes: Int { (~self).trailingZeroBitCount }
}
