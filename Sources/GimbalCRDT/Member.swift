/// Is this element in the collection, and with which payload, when it was added, changed and removed at once?
///
/// One element of an observed-remove set without tombstones (A. Bieniusa, M. Zawirski et al., "An Optimized Conflict-free
/// Replicated Set", INRIA 8083, 2012), each live dot carrying an LWW payload. An operation removes only the dots that its
/// writer had observed, so a concurrent put stays: add wins. The causal context is the space's version vector. At most one dot of
/// each replica is live.
public struct Member: Hashable, Sendable {
    /// In the order of dots. Empty: the member is gone and nothing of it is kept.
    public private(set) var live: [Write]

    public init(live: [Write] = []) { self.live = live.count < 2 ? live : live.sorted { $0.dot < $1.dot } }

    public var isPresent: Bool { !live.isEmpty }

    /// What reads answer: the greatest of the live writes.
    public var winner: Write? {
        guard var greatest = live.first else { return nil }
        for write in live.dropFirst() where greatest.precedes(write) { greatest = write }
        return greatest
    }

    /// The concurrent writes that lost, greatest first.
    public var siblings: [Write] { Array(live.sorted { $1.precedes($0) }.dropFirst()) }

    /// The observed dots go, the member gains the put's dot.
    public mutating func apply(_ put: Write, observing observed: [Dot]) {
        remove(put.dot, observing: observed)
        live.insert(put, at: live.firstIndex { put.dot < $0.dot } ?? live.endIndex)
    }

    /// The observed dots go, and with them what the same replica wrote before: a replica always observes its own
    /// (docs/decisions/0001-own-dots-are-observed.md).
    public mutating func remove(_ dot: Dot, observing observed: [Dot]) {
        guard !live.isEmpty else { return }
        live.removeAll { write in
            (write.dot.replica == dot.replica && write.dot.sequence < dot.sequence) || observed.contains(write.dot)
        }
    }

    /// Dots live on both sides stay, and dots live on one side that the other has not accepted. One dot keeps the smaller of its
    /// stamps.
    ///
    /// - Parameters:
    ///   - other: the other side, of the same path.
    ///   - isGoneHere: whether this side has accepted a dot that is not live here.
    ///   - isGoneThere: the same of the other side.
    public func joined(
        _ other: Member, isGoneHere: (Dot) -> Bool, isGoneThere: (Dot) -> Bool
    ) -> Member {
        var joined: [Write] = []
        var (here, there) = (live[...], other.live[...])
        while let left = here.first, let right = there.first {
            if left.dot == right.dot {
                joined.append(left.reconciled(with: right))
                here.removeFirst()
                there.removeFirst()
            } else if left.dot < right.dot {
                if !isGoneThere(left.dot) { joined.append(left) }
                here.removeFirst()
            } else {
                if !isGoneHere(right.dot) { joined.append(right) }
                there.removeFirst()
            }
        }
        joined += here.filter { !isGoneThere($0.dot) }
        joined += there.filter { !isGoneHere($0.dot) }
        return Member(live: joined)
    }
}
