import GimbalCRDT

/// A hash that stands for some entries of a log: a whole subtree of its tree's split.
public struct LogSubtree: Hashable, Sendable {
    /// Position of the first entry.
    public var first: UInt64
    public var leaves: UInt64
    public var hash: Digest

    public init(first: UInt64, leaves: UInt64, hash: Digest) {
        self.first = first
        self.leaves = leaves
        self.hash = hash
    }

    /// Position after the last entry; saturated for what cannot be.
    public var end: UInt64 {
        let (end, overflow) = first.addingReportingOverflow(leaves)
        return overflow ? .max : end
    }
}

/// Finds what a choice of log entries leaves out: the largest whole subtrees of the split in which nothing is shown, in the
/// order of positions, holding a few hashes whatever the log's size.
public struct GapFinder: Sendable {
    /// A complete subtree of what came so far; sizes fall, as in `MerkleTree.Frontier`.
    private struct Part {
        var subtree: LogSubtree
        /// An entry in it is shown: nothing above it is left out as a whole.
        var isShown: Bool
    }

    private var parts: [Part] = []
    private var next: UInt64

    /// - Parameter first: position of the tree's first leaf.
    public init(first: UInt64) { next = first }

    /// The position that comes next.
    public var position: UInt64 { next }

    /// The next entry is shown. Returns what is now known to be left out before it.
    public mutating func show() -> [LogSubtree] {
        let gaps = parts.filter { !$0.isShown }.map(\.subtree)
        for index in parts.indices { parts[index].isShown = true }
        var part = Part(subtree: LogSubtree(first: next, leaves: 1, hash: .zero), isShown: true)
        next += 1
        while let last = parts.last, last.subtree.leaves == part.subtree.leaves {
            parts.removeLast()
            part.subtree = LogSubtree(first: last.subtree.first, leaves: last.subtree.leaves * 2, hash: .zero)
        }
        parts.append(part)
        return gaps
    }

    /// The next entries are left out: one leaf, or a complete subtree whose place is a multiple of its size. Returns what is
    /// now known to be left out as a whole.
    public mutating func hide(_ hash: Digest, leaves: UInt64 = 1, _ primitives: any Primitives) -> LogSubtree? {
        var part = Part(subtree: LogSubtree(first: next, leaves: leaves, hash: hash), isShown: false)
        next = part.subtree.end
        var gap: LogSubtree?
        while let last = parts.last, last.subtree.leaves == part.subtree.leaves {
            parts.removeLast()
            // Beside a shown one a hidden subtree has no larger one around it; there is none to the left of a shown one.
            if last.isShown, !part.isShown { gap = part.subtree }
            let isShown = last.isShown || part.isShown
            part = Part(
                subtree: LogSubtree(
                    first: last.subtree.first, leaves: last.subtree.leaves * 2,
                    hash: isShown ? .zero : MerkleTree.node(last.subtree.hash, part.subtree.hash, primitives)),
                isShown: isShown)
        }
        parts.append(part)
        return gap
    }

    /// What is left out after the last entry that is shown.
    public mutating func finish(_ primitives: any Primitives) -> LogSubtree? {
        var tail: LogSubtree?
        while let last = parts.popLast(), !last.isShown {
            guard let right = tail else {
                tail = last.subtree
                continue
            }
            tail = LogSubtree(
                first: last.subtree.first, leaves: last.subtree.leaves + right.leaves,
                hash: MerkleTree.node(last.subtree.hash, right.hash, primitives))
        }
        return tail
    }
}

extension MerkleTree {
    /// The root over parts of a log that come in order: entries, as subtrees of one leaf, and what stands for others. Holds one
    /// hash a level.
    ///
    /// - Parameters:
    ///   - range: the positions that the parts make up.
    ///   - primitives: for BLAKE2b-256.
    ///   - next: the next part; nil after the last.
    /// - Returns: nil when the parts do not make up the range by whole subtrees of its split.
    public static func root<Failure: Error>(
        of range: Range<UInt64>, _ primitives: any Primitives, next: () throws(Failure) -> LogSubtree?
    ) throws(Failure) -> Digest? {
        guard !range.isEmpty else { return try next() == nil ? .zero : nil }
        var part = try next()
        func root(_ range: Range<UInt64>) throws(Failure) -> Digest? {
            guard let current = part, current.first == range.lowerBound, current.end <= range.upperBound else { return nil }
            let count = range.upperBound - range.lowerBound
            if current.leaves == count {
                part = try next()
                return current.hash
            }
            guard count > 1 else { return nil }
            let middle = range.lowerBound + split(count)
            guard let left = try root(range.lowerBound..<middle), let right = try root(middle..<range.upperBound) else {
                return nil
            }
            return node(left, right, primitives)
        }
        let root = try root(range)
        return part == nil ? root : nil
    }
}
