import GimbalCRDT

/// A delta whose signature holds and whose shown operations are the signed ones. What replication and storage accept.
public struct VerifiedDelta: Hashable, Sendable {
    public let sealed: SealedDelta
    public let headerHash: Digest
    /// One for each operation; nil where it is hidden behind a hash.
    private let leaves: [Leaf?]

    private struct Leaf: Hashable, Sendable {
        var item: Int
        var hash: Digest
    }

    public var header: DeltaHeader { sealed.claimedHeader }

    /// Whether every operation is shown.
    public var isWhole: Bool { sealed.itemStarts.count == header.count && leaves.allSatisfy { $0 != nil } }

    init(verifying sealed: SealedDelta, _ primitives: any Primitives) throws(WireError) {
        let header = sealed.claimedHeader
        try sealed.signed.verify(by: header.replica.author, with: primitives)
        var tree = PrunedTree(sealed: sealed, primitives: primitives)
        let (root, _) = try tree.root(0..<header.count)
        guard tree.nextItem == sealed.itemStarts.count else {
            throw WireError(
                .inconsistent, at: sealed.itemRange(tree.nextItem).lowerBound, "more operations than the header counts")
        }
        guard root == header.root else { throw WireError(.badRoot, "the operations are not the signed ones") }
        self.sealed = sealed
        headerHash = sealed.headerHash(primitives)
        leaves = tree.leaves
    }

    /// A delta that is sealed here is verified by construction.
    ///
    /// - Parameter header: complete but for the count and the root, which are taken from the operations.
    public init(
        sealing operations: [[UInt8]], header: DeltaHeader, with signer: any Signer, _ primitives: any Primitives
    ) {
        let hashes = operations.map { MerkleTree.leaf($0.span, primitives) }
        var header = header
        header.count = operations.count
        header.root = MerkleTree.root(hashes, primitives)
        sealed = SealedDelta(signing: header, operations: operations, with: signer)
        headerHash = sealed.headerHash(primitives)
        leaves = hashes.enumerated().map { Leaf(item: $0.offset, hash: $0.element) }
    }

    private init(_ delta: VerifiedDelta, sealed: SealedDelta, leaves: [Leaf?]) {
        self.sealed = sealed
        headerHash = delta.headerHash
        self.leaves = leaves
    }

    public func isShown(_ index: Int) -> Bool { leaves[index] != nil }

    /// Leaf hash of a shown operation.
    public func operationHash(_ index: Int) -> Digest? { leaves[index]?.hash }

    /// The bytes of a shown operation.
    public func operationBytes(_ index: Int) -> [UInt8]? {
        leaves[index].map { Array(sealed.bytes[sealed.itemRange($0.item)]) }
    }

    /// Decodes a shown operation; nil when it is hidden. Throws when it is malformed, which is that operation's matter alone.
    public func operation(_ index: Int) throws(WireError) -> Operation? {
        guard let leaf = leaves[index] else { return nil }
        return try Operation(decoding: sealed.bytes, in: sealed.itemRange(leaf.item))
    }

    /// The same delta with only some operations shown.
    public func pruned(keeping isKept: (Int) -> Bool, _ primitives: any Primitives) -> VerifiedDelta {
        precondition(isWhole, "what a pruned delta hides cannot be hashed again")
        let kept = leaves.indices.map(isKept)
        guard kept.contains(false) else { return self }
        var items: [[UInt8]] = []
        var leaves: [Leaf?] = []
        func emit(_ range: Range<Int>) {
            if !kept[range].contains(true) {
                var writer = CBORWriter()
                writer.array(count: 2)
                writer.byteString(root(range, primitives))
                writer.unsigned(range.count)
                items.append(writer.bytes)
                leaves.append(contentsOf: repeatElement(nil, count: range.count))
            } else if range.count == 1 {
                leaves.append(Leaf(item: items.count, hash: self.leaves[range.lowerBound]?.hash ?? .zero))
                items.append(operationBytes(range.lowerBound) ?? [])
            } else {
                let middle = range.lowerBound + Int(MerkleTree.split(UInt64(range.count)))
                emit(range.lowerBound..<middle)
                emit(middle..<range.upperBound)
            }
        }
        emit(0..<header.count)
        return VerifiedDelta(self, sealed: sealed.replacingItems(items), leaves: leaves)
    }

    private func root(_ range: Range<Int>, _ primitives: any Primitives) -> Digest {
        MerkleTree.root(leaves[range].compactMap { $0?.hash }, primitives)
    }

    /// Rebuilds the root from operations and hashes, checking that each hash covers one whole subtree of the split.
    private struct PrunedTree {
        let sealed: SealedDelta
        let primitives: any Primitives
        var nextItem = 0
        var leaves: [Leaf?] = []

        init(sealed: SealedDelta, primitives: any Primitives) {
            self.sealed = sealed
            self.primitives = primitives
            leaves.reserveCapacity(sealed.claimedHeader.count)
        }

        /// Depth is at most 12: a delta has 4,096 operations at most.
        mutating func root(_ range: Range<Int>) throws(WireError) -> (hash: Digest, isHidden: Bool) {
            guard nextItem < sealed.itemStarts.count else {
                throw WireError(.inconsistent, at: sealed.bytes.count, "fewer operations than the header counts")
            }
            let itemRange = sealed.itemRange(nextItem)
            if let hidden = try hiddenSubtree(itemRange) {
                if hidden.leaves == range.count {
                    nextItem += 1
                    leaves.append(contentsOf: repeatElement(nil, count: range.count))
                    return (hidden.hash, true)
                }
                guard hidden.leaves < range.count else {
                    throw WireError(.inconsistent, at: itemRange.lowerBound, "a hash that covers no whole subtree")
                }
            }
            if range.count == 1 {
                let hash = MerkleTree.leaf(sealed.bytes.span.extracting(itemRange), primitives)
                leaves.append(Leaf(item: nextItem, hash: hash))
                nextItem += 1
                return (hash, false)
            }
            let middle = range.lowerBound + Int(MerkleTree.split(UInt64(range.count)))
            let left = try root(range.lowerBound..<middle)
            let right = try root(middle..<range.upperBound)
            guard !left.isHidden || !right.isHidden else {
                throw WireError(.notCanonical, at: itemRange.lowerBound, "two hashed siblings are written as their parent")
            }
            return (MerkleTree.node(left.hash, right.hash, primitives), false)
        }

        private func hiddenSubtree(_ range: Range<Int>) throws(WireError) -> (hash: Digest, leaves: Int)? {
            var reader = CBORReader(sealed.bytes, in: range)
            guard try reader.arrayCount(upTo: Int.max, "fields") == 2, try reader.nextMajorType() == 2 else { return nil }
            let hash = try reader.fixed(Digest.self)
            let start = reader.offset
            let leaves = try reader.count(upTo: Limits.hardMaximumOperationsPerDelta, "leaves covered")
            guard leaves > 0 else { throw WireError(.inconsistent, at: start, "a hash covers a leaf at least") }
            return (hash, leaves)
        }
    }
}
