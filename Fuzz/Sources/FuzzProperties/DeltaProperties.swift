import GimbalCRDT
import GimbalReplication
import GimbalWire

/// Sealed deltas, whole and pruned: the decoder, and, past a signature that is taken for granted, the tree.
enum DeltaProperties {
    private static let primitives = TrustingPrimitives()

    static func check(_ bytes: [UInt8]) {
        guard let delta = decoded(bytes, { () throws(WireError) in try SealedDelta(decoding: bytes) }) else { return }
        requireSame(delta.bytes, as: bytes)
        checkHeader(delta.claimedHeader)
        guard let parts = Parts(bytes) else { return require(false, "a delta that was decoded has its parts") }
        requireSame(parts.encoded(delta.claimedHeader), as: bytes)
        checkTree(delta, parts)
        for count in [delta.claimedHeader.count, min(parts.tree?.naturalCount ?? 1, 4096)] {
            if let repaired = repaired(delta.claimedHeader, count: count, parts) { checkTree(repaired, parts) }
        }
    }

    private static func checkHeader(_ header: DeltaHeader) {
        let replicas = header.observed.map(\.replica)
        require(!replicas.contains(header.replica), "a header's table names other replicas")
        for (one, next) in zip(replicas, replicas.dropFirst()) { require(one < next, "a header's table rises") }
        require(header.firstSequence > 0 && header.lastSequence >= header.firstSequence, "sequences begin at 1 and end")
        require((header.firstSequence == 1) == (header.previous == .zero), "only the first header has none before it")
    }

    /// What a delta is made of, found with the generic reader.
    private struct Parts {
        let payload: [UInt8]
        let signature: Signature
        let items: [CBORItem]
        let tree: ReferenceTree?

        init?(_ bytes: [UInt8]) {
            var reader = CBORReader(bytes)
            guard (try? reader.array(of: 2)) != nil, let signed = try? SignedPayload(from: &reader),
                case .array(let items) = try? CBORItem(from: &reader)
            else { return nil }
            payload = signed.payload
            signature = signed.signature
            self.items = items
            tree = ReferenceTree(items)
        }

        func encoded(_ header: DeltaHeader) -> [UInt8] {
            var writer = CBORWriter()
            writer.array(count: 2)
            SignedPayload(payload: header.encoded, signature: signature).encode(into: &writer)
            CBORItem.array(items).encode(into: &writer)
            return writer.bytes
        }
    }

    /// The same items under a header that names their root, which a fuzzer would never find.
    private static func repaired(_ header: DeltaHeader, count: Int, _ parts: Parts) -> SealedDelta? {
        var tree = parts.tree
        guard let root = tree?.root(count: count, primitives) else { return nil }
        var header = header
        header.count = count
        header.root = root
        return try? SealedDelta(decoding: parts.encoded(header))
    }

    private static func checkTree(_ delta: SealedDelta, _ parts: Parts) {
        let header = delta.claimedHeader
        var tree = parts.tree
        let root = tree?.root(count: header.count, primitives)
        let verified = try? delta.verified(primitives)
        require((verified != nil) == (root == header.root), "a delta verifies exactly if its items are the tree of its root")
        guard let verified, let shown = tree?.shown else { return }
        require(verified.sealed == delta && shown.count == header.count, "verification changes nothing")
        require(verified.headerHash == primitives.hash(header.encoded), "a header's hash is that of its bytes")
        for index in 0..<header.count {
            require(verified.operationBytes(index) == shown[index], "operation \(index) is shown as it came")
            require(verified.isShown(index) == (shown[index] != nil), "operation \(index) is shown or hidden")
        }
        checkOperations(verified, shown)
        checkPruning(verified)
    }

    private static func checkOperations(_ verified: VerifiedDelta, _ shown: [[UInt8]?]) {
        for (index, bytes) in shown.enumerated() {
            guard let bytes, let operation = try? verified.operation(index) else { continue }
            requireSame(operation.encoded, as: bytes)
        }
        let incoming = IncomingDelta(verified)
        let refused = Set(incoming.malformed.map(\.index))
        let cap = HybridTimestamp(milliseconds: 1)
        for index in shown.indices {
            let effect = incoming.effect(index, cap: cap)
            require(
                (effect != nil) == (shown[index] != nil && !refused.contains(index)),
                "operation \(index) has an effect, or is hidden, or refused")
            require(
                effect?.effect.dot ?? verified.header.dot(at: index) == verified.header.dot(at: index), "dots are consecutive")
        }
    }

    private static func checkPruning(_ verified: VerifiedDelta) {
        guard verified.header.count <= 64 else { return }
        let mask = verified.header.root.words.first
        let keepsOne = { (index: Int) in mask >> UInt64(index) & 1 == 0 }
        let keepsTwo = { (index: Int) in mask >> UInt64(63 - index) & 1 == 0 }
        let once = verified.pruned(keeping: keepsOne, primitives)
        let both = verified.pruned(keeping: { keepsOne($0) && keepsTwo($0) }, primitives)
        require(once.pruned(keeping: keepsTwo, primitives) == both, "pruning twice is pruning once")
        for pruned in [once, both] {
            let again = try? SealedDelta(decoding: pruned.sealed.bytes).verified(primitives)
            require(again == pruned, "what is pruned here verifies elsewhere")
        }
        for index in 0..<verified.header.count {
            require(once.isShown(index) == (verified.isShown(index) && keepsOne(index)), "operation \(index) is kept or hidden")
        }
    }
}
