import GimbalCRDT

/// A replica that exchanges operations with any other, without a pivot: the CRDT types and a clock, nothing else.
struct MeshReplica {
    let id: ReplicaID
    var state = SpaceState()
    var clock = HybridClock()
    /// Numbers of the events it has, in its order.
    var order: [Int] = []
    var known = NumberSet()
    /// The greatest effective stamp that it has written or taken in.
    var greatestStamp = HybridTimestamp.zero

    init(number: Int) {
        let letter = UInt64(truncatingIfNeeded: number &+ 1)
        // Replicas 0 and 1 are one author's incarnations: the author alone does not break ties.
        let author = AuthorID(words: Words32(number < 2 ? 1 : letter, 0, 0, 0))
        id = ReplicaID(author: author, incarnation: letter)
    }

    private var side: StateJoin.Side { StateJoin.Side(versionVector: state.versionVector, refused: state.refused) }

    /// Takes in one event, and checks that the state only grows by it.
    mutating func take(_ number: Int, _ event: MeshEvent) throws(Violation) {
        let before = (side, state.paths[event.path])
        let isNew = state.apply(event.effect, to: event.path)
        try require(isNew != known.contains(number), "an operation has an effect once", "\(event.effect.dot)")
        if isNew {
            order.append(number)
            known.insert(number)
        } else {
            try require(state.paths[event.path] == before.1, "a replay changes nothing", "\(event.effect.dot)")
        }
        let joined = StateJoin(before.0, side).state(before.1, state.paths[event.path])
        try require(joined == state.paths[event.path], "operations only grow the state", "\(event.effect)")
        if let stamp = event.effect.stamp {
            clock.observe(stamp)
            greatestStamp = max(greatestStamp, stamp)
        }
    }
}

extension Effect {
    /// The effective stamp of what it writes.
    var stamp: HybridTimestamp? {
        switch self {
        case .write(let write), .put(let write, _): write.stamp
        case .remove: nil
        }
    }
}
