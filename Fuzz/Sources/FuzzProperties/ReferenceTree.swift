import GimbalCRDT
import GimbalWire

/// A pruned delta's items and their tree, as docs/wire-format.md §3 says: "walk the tree from the root with the items in
/// order".
struct ReferenceTree {
    enum Item {
        case operation([UInt8])
        case hash(Digest, leaves: Int)
    }

    private let items: [Item]
    private var next = 0
    /// By index of the operation; nil where it is hidden.
    private(set) var shown: [[UInt8]?] = []

    /// Nil when an item is neither an operation nor a hash.
    init?(_ items: [CBORItem]) {
        var read: [Item] = []
        for item in items {
            guard case .array(let fields) = item else { return nil }
            guard fields.count == 2, case .bytes(let bytes) = fields[0] else {
                read.append(.operation(item.encoded))
                continue
            }
            guard let hash = Digest(bytes), case .unsigned(let leaves) = fields[1], (1...4096).contains(leaves) else {
                return nil
            }
            read.append(.hash(hash, leaves: Int(leaves)))
        }
        self.items = read
    }

    /// How many operations the items stand for, one by one.
    var naturalCount: Int {
        items.reduce(0) { count, item in
            if case .hash(_, let leaves) = item { count + leaves } else { count + 1 }
        }
    }

    /// Nil when the items are not a choice of the tree with so many leaves, in its one form.
    mutating func root(count: Int, _ primitives: any Primitives) -> Digest? {
        guard let (root, _) = subtree(count, primitives), next == items.count else { return nil }
        return root
    }

    private mutating func subtree(_ count: Int, _ primitives: any Primitives) -> (Digest, isHash: Bool)? {
        guard next < items.count else { return nil }
        if case .hash(let hash, count) = items[next] {
            next += 1
            shown += [[UInt8]?](repeating: nil, count: count)
            return (hash, true)
        }
        if count == 1 {
            guard case .operation(let bytes) = items[next] else { return nil }
            next += 1
            shown.append(bytes)
            return (primitives.hash(prefix: 0, bytes.span), false)
        }
        var half = 1
        while half * 2 < count { half *= 2 }
        guard let left = subtree(half, primitives), let right = subtree(count - half, primitives), !(left.isHash && right.isHash)
        else { return nil }
        let both = left.0.bytes + right.0.bytes
        return (primitives.hash(prefix: 1, both.span), false)
    }
}
