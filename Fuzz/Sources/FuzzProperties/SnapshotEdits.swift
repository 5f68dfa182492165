import GimbalCRDT
import GimbalSigning
import GimbalWire

/// The items of a snapshot, and what is done to them: by somebody on the way, or by the pivot itself, which can sign its
/// checkpoint anew. The state's digest stays as it was signed.
struct SnapshotEdits {
    private(set) var items: [[UInt8]]
    private(set) var count = 0
    private(set) var isSignedAnew = false
    private let scene = Scene.shared

    init(_ items: [[UInt8]]) { self.items = items }

    mutating func edit(_ script: inout Script) {
        count += 1
        guard !items.isEmpty else { return }
        let index = script.below(items.count)
        switch script.below(10) {
        case 0: change(index) { bytes in bytes[script.below(bytes.count)] ^= 1 << UInt8(script.below(8)) }
        case 1: change(index) { bytes in bytes[script.below(bytes.count)] = script.byte() }
        case 2: items.remove(at: index)
        case 3: items.insert(items[script.below(items.count)], at: index)
        case 4: items.swapAt(index, script.below(items.count))
        case 5: items.removeSubrange(index...)
        case 6: change(index) { bytes in bytes.removeLast(1 + script.below(bytes.count)) }
        case 7: count(&script)
        case 8: signAnew(&script)
        default: changeField(index, &script)
        }
    }

    private mutating func change(_ index: Int, _ body: (inout [UInt8]) -> Void) {
        guard !items[index].isEmpty else { return }
        body(&items[index])
    }

    private func item(_ index: Int) -> SnapshotItem? {
        var reader = CBORReader(items[index])
        return try? SnapshotItem(from: &reader, isFirst: index == 0)
    }

    /// The counts fit whatever items there are now.
    private mutating func count(_ script: inout Script) {
        var counts = (entries: UInt64(0), replicas: UInt64(0), refused: UInt64(0), subtrees: UInt64(0))
        for index in items.indices {
            switch item(index) {
            case .entry: counts.entries += 1
            case .replica: counts.replicas += 1
            case .refused: counts.refused += 1
            case .subtree: counts.subtrees += 1
            case .stateEnd:
                items[index] =
                    SnapshotItem.stateEnd(
                        entries: counts.entries, replicas: counts.replicas, refused: counts.refused
                    ).encoded
            case .end: items[index] = SnapshotItem.end(subtrees: counts.subtrees).encoded
            case .head, nil: break
            }
        }
    }

    private mutating func changeField(_ index: Int, _ script: inout Script) {
        guard let item = item(index) else { return }
        let changed: SnapshotItem
        switch item {
        case .head: return signAnew(&script)
        case .entry(let tree, let position, var entry):
            let isMoved = script.flag()
            if !isMoved { change(&entry, &script) }
            changed = .entry(tree: tree, position: isMoved ? script.number() : position, entry)
        case .replica(let replica, var head):
            if script.flag() { head.headerHash = .zero } else { head.sequence = script.number() }
            changed = .replica(replica, head)
        case .refused(var dot, let reason):
            dot.sequence = script.number()
            changed = .refused(dot, reason: script.flag() ? reason : "forbidden")
        case .stateEnd(let entries, let replicas, let refused):
            changed = .stateEnd(entries: entries &+ script.number(), replicas: replicas, refused: refused)
        case .subtree(let tree, var subtree):
            switch script.below(3) {
            case 0: subtree.first = script.number()
            case 1: subtree.leaves = script.number()
            default: subtree.hash = .zero
            }
            changed = .subtree(tree: tree, subtree)
        case .end: changed = .end(subtrees: script.number())
        }
        items[index] = changed.encoded
    }

    private func change(_ entry: inout LogEntry, _ script: inout Script) {
        switch script.below(4) {
        case 0: entry.cap = HybridTimestamp(rawValue: script.number())
        case 1: entry.refusals = [Refusal(index: script.below(4), reason: "forbidden")]
        case 2: entry.body = .receipt(headerHash: .zero)
        default:
            guard case .delta(let sealed) = entry.body, let delta = try? sealed.verified(scene.primitives) else { return }
            let mask = script.byte()
            entry.body = .delta(delta.pruned(keeping: { mask >> UInt8($0 & 7) & 1 == 1 }, scene.primitives).sealed)
        }
    }

    /// Another place, or another log, with the pivot's signature.
    private mutating func signAnew(_ script: inout Script) {
        guard case .head(var head) = item(0), let signed = head.checkpoints.last,
            var checkpoint = try? Checkpoint(decoding: signed.payload)
        else { return }
        isSignedAnew = true
        let first = script.flag() ? checkpoint.firstPosition : script.number()
        let leaves = script.flag() ? head.frontier.count : script.number()
        if leaves != head.frontier.count {
            let subtrees = (0..<leaves.nonzeroBitCount).map { Digest(words: Words32(UInt64($0), 0, 0, 0)) }
            guard let frontier = MerkleTree.Frontier(count: leaves, subtrees: subtrees) else { return }
            head.frontier = frontier
        }
        checkpoint.firstPosition = first
        checkpoint.position = first &+ leaves &- 1
        checkpoint.logRoot = head.frontier.root(scene.primitives)
        if script.flag() { checkpoint.greatestStamp = HybridTimestamp(rawValue: script.number()) }
        if script.flag() { checkpoint.epoch.number = script.number() }
        if script.flag() { checkpoint.pivotMilliseconds = script.number() }
        head.checkpoints[head.checkpoints.count - 1] = SignedPayload(signing: checkpoint.encoded, with: scene.pivot)
        items[0] = SnapshotItem.head(head).encoded
    }
}
