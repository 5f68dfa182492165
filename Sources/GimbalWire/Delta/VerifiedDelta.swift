import GimbalCRDT

/// A delta whose signature holds and whose shown operations are the signed ones. What replication and storage accept.
public struct VerifiedDelta: Hashable, Sendable {
    public let sealed: SealedDelta
    public let headerHash: Digest
    /// One for each operation; nil where it is hidden behind a hash.
    private let leaves: [Leaf?]

    /// By first operation: what stands for operations that are not shown.
    private let hidden: [Int: Hidden]

    private struct Leaf: Hashable, Sendable {
        var item: Int
        var hash: Digest
    }

    private struct Hidden: Hashable, Sendable {
        var hash: Digest
        var count: Int
    }

    public var header: DeltaHeader { sealed.claimedHeader }

    /// Whether every operation is shown.
    public var isWhole: Bool { sealed.itemStarts.count == header.count && leaves.allSatisfy { $0 != nil } }

    init(verifying sealed: SealedDelta, _ primitives: any Primitives) throws(WireError) {
        try sealed.verifySignature(primitives)
        try self.init(unsigned: sealed, primitives)
    }

    /// Checks all but the signature: for `UnsignedDelta` alone.
    init(unsigned sealed: SealedDelta, _ primitives: any Primitives) throws(WireError) {
        let header = sealed.claimedHeader
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
        hidden = tree.hidden
    }

    /// A delta that is sealed here is verified by construction.
    ///
    /// The header is complete but for the count and the root, which are taken from the operations.
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
        hidden = [:]
    }

    private init(_ delta: VerifiedDelta, sealed: SealedDelta, leaves: [Leaf?], hidden: [Int: Hidden]) {
        self.sealed = sealed
        headerHash = delta.headerHash
        self.leaves = leaves
        self.hidden = hidden
    }

    public func isShown(_ index: Int) -> Bool { leaves[index] != nil }

    /// Leaf hash of a shown operation.
    public func operationHash(_ index: Int) -> Digest? { leaves[index]?.hash }

    /// Where the bytes of a shown operation are in those of the sealed delta.
    func operationRange(_ index: Int) -> Range<Int>? { leaves[index].map { sealed.itemRange($0.item) } }

    /// The bytes of a shown operation.
    public func operationBytes(_ index: Int) -> [UInt8]? {
        leaves[index].map { Array(sealed.bytes[sealed.itemRange($0.item)]) }
    }

    /// Decodes a shown operation; nil when it is hidden. Throws when it is malformed, which is that operation's matter alone.
    public func operation(_ index: Int) throws(WireError) -> Operation? {
        guard let leaf = leaves[index] else { return nil }
        return try Operation(decoding: sealed.bytes, in: sealed.itemRange(leaf.item))
    }

    /// The same delta with only some of its shown operations shown.
    public func pruned(keeping isKept: (Int) -> Bool, _ primitives: any Primitives) -> VerifiedDelta {
        let kept = leaves.indices.map { leaves[$0] != nil && isKept($0) }
        guard zip(kept, leaves).contains(where: { !$0 && $1 != nil }) else { return self }
        var pruning = Pruning(delta: self, kept: kept, primitives: primitives)
        pruning.emit(pruning.part(0..<header.count))
        return VerifiedDelta(
            self, sealed: sealed.replacingItems(pruning.items), leaves: pruning.leaves, hidden: pruning.hidden)
    }

    /// Puts the items of a pruned delta together: whatever is wholly hidden becomes one hash.
    private struct Pruning {
        let delta: VerifiedDelta
        let kept: [Bool]
        let primitives: any Primitives
        var items: [[UInt8]] = []
        var leaves: [Leaf?] = []
        var hidden: [Int: Hidden] = [:]

        init(delta: VerifiedDelta, kept: [Bool], primitives: any Primitives) {
            self.delta = delta
            self.kept = kept
            self.primitives = primitives
        }

        indirect enum Part {
            case hash(Hidden)
            case operation(Int, Digest)
            case both(Part, Part)
        }

        func part(_ range: Range<Int>) -> Part {
            if let hidden = delta.hidden[range.lowerBound], hidden.count == range.count { return .hash(hidden) }
            if range.count == 1 {
                let hash = delta.leaves[range.lowerBound]?.hash ?? .zero
                return kept[range.lowerBound]
                    ? .operation(range.lowerBound, hash) : .hash(Hidden(hash: hash, count: 1))
            }
            let middle = range.lowerBound + Int(MerkleTree.split(UInt64(range.count)))
            let left = part(range.lowerBound..<middle)
            let right = part(middle..<range.upperBound)
            guard case .hash(let one) = left, case .hash(let two) = right else { return .both(left, right) }
            return .hash(Hidden(hash: MerkleTree.node(one.hash, two.hash, primitives), count: range.count))
        }

        mutating func emit(_ part: Part) {
            switch part {
            case .both(let left, let right):
                emit(left)
                emit(right)
            case .operation(let operation, let hash):
                leaves.append(Leaf(item: items.count, hash: hash))
                items.append(delta.operationBytes(operation) ?? [])
            case .hash(let hash):
                var writer = CBORWriter()
                writer.array(count: 2)
                writer.byteString(hash.hash)
                writer.unsigned(hash.count)
                items.append(writer.bytes)
                hidden[leaves.count] = hash
                leaves.append(contentsOf: repeatElement(nil, count: hash.count))
            }
        }
    }

    /// Rebuilds the root from operations and hashes, checking that each hash covers one whole subtree of the split.
    private struct PrunedTree {
        let sealed: SealedDelta
        let primitives: any Primitives
        var nextItem = 0
        var leaves: [Leaf?] = []
        var hidden: [Int: Hidden] = [:]

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
                if hidden.count == range.count {
                    nextItem += 1
                    self.hidden[range.lowerBound] = hidden
                    leaves.append(contentsOf: repeatElement(nil, count: range.count))
                    return (hidden.hash, true)
                }
                guard hidden.count < range.count else {
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

        private func hiddenSubtree(_ range: Range<Int>) throws(WireError) -> Hidden? {
            var reader = CBORReader(sealed.bytes, in: range)
            guard try reader.arrayCount(upTo: Int.max, "fields") == 2, try reader.nextMajorType() == 2 else { return nil }
            let hash = try reader.fixed(Digest.self)
            let start = reader.offset
            let leaves = try reader.count(upTo: Limits.hardMaximumOperationsPerDelta, "leaves covered")
            guard leaves > 0 else { throw WireError(.inconsistent, at: start, "a hash covers a leaf at least") }
            return Hidden(hash: hash, count: leaves)
        }
    }
}
