import GimbalCRDT

/// The laws of the CRDT types themselves: replicas that exchange operations in any causal order, with any duplication and
/// batching, and join whole states, against a model that keeps the whole history.
public struct MeshLaw: Law {
    public let share: UInt64 = 1

    public init() {}

    public func check(_ history: History, _ tally: inout Tally) throws(Violation) -> Int {
        var mesh = Mesh(history)
        for step in history.steps { try mesh.play(step) }
        try mesh.checkModel()
        try mesh.checkOrders()
        try mesh.checkJoins(&tally)
        tally.note("siblings", mesh.greatestSiblingCount)
        return mesh.all.events.count
    }
}

/// The replicas of one history.
struct Mesh {
    var all = WholeHistory()
    private(set) var greatestSiblingCount = 0
    private let swarm: Swarm
    private var replicas: [MeshReplica]
    private var paths: [Path]
    private var clocks = Clocks()
    private var random: SeededRandom
    /// The greatest cap so far: caps rise, as in a log.
    private var greatestCap = HybridTimestamp.zero

    init(_ history: History) {
        swarm = history.swarm
        replicas = (0..<history.swarm.replicas).map { MeshReplica(number: $0) }
        paths = history.paths
        random = SeededRandom(seed: history.seed ^ 0x6d65_7368)
    }

    mutating func play(_ step: Step) throws(Violation) {
        clocks.advance(by: swarm.tick)
        switch step {
        case .write(let who, let kind, let path, _): try write(who % replicas.count, kind, path)
        case .push(let who, let fate):
            guard fate != .lost else { break }
            try deliver(from: who % replicas.count, to: 0, limit: .max)
            if fate == .twice { try repeatDeliveries(to: 0) }
        case .pull(let who, let from, let limit):
            try deliver(from: from % replicas.count, to: who % replicas.count, limit: limit)
        case .stalePage(let who): try repeatDeliveries(to: who % replicas.count)
        case .clock(let who, let offset): clocks.set(who % replicas.count, offset: offset)
        case .crash, .failCommit, .save, .restore, .clone, .grant, .limit: break
        }
    }

    private mutating func write(_ who: Int, _ kind: Step.Kind, _ pathNumber: Int) throws(Violation) {
        let replica = replicas[who]
        let stamp = replicas[who].clock.tick(wallMilliseconds: clocks.wall(who))
        try require(stamp > replica.clock.last, "stamps strictly increase", "\(stamp) after \(replica.clock.last)")
        let path = kind == .add ? added(stamp, by: who) : paths[pathNumber % paths.count]
        let visible = replica.state.paths[path]?.visible
        if visible == nil && (kind == .delete || kind == .patch) { return }
        let cap = cap()
        let effective = min(stamp, cap)
        try require(
            effective > replica.greatestStamp, "effective stamps respect causality", "\(effective) after \(replica.greatestStamp)"
        )
        let dot = Dot(replica: replica.id, sequence: replica.state.versionVector[replica.id].sequence + 1)
        let write = Write(
            dot: dot, stamp: effective, created: visible?.created ?? effective,
            operationHash: Digest(words: Words32(random.next(), 0, 0, 0)),
            value: kind == .delete ? nil : Array("\(all.events.count)".utf8))
        let observed = (replica.state.paths[path]?.writes ?? []).map(\.dot).filter { $0.replica != replica.id }
        let effect: Effect =
            path.isRegister ? .write(write) : kind == .delete ? .remove(dot, observed: observed) : .put(write, observed: observed)
        all.events.append(MeshEvent(path: path, effect: effect, known: replica.known))
        try take(all.events.count - 1, by: who)
    }

    private mutating func added(_ stamp: HybridTimestamp, by who: Int) -> Path {
        let index = "\(String(stamp.nanoseconds, radix: 16))-\(who)"
        guard let path = Path("things/\(index)") else { preconditionFailure("\(index) is an index") }
        paths.append(path)
        return path
    }

    private mutating func cap() -> HybridTimestamp {
        let ahead = HybridTimestamp(milliseconds: clocks.wall(0) + 30_000)
        greatestCap = max(ahead, greatestCap.successor)
        return greatestCap
    }

    private mutating func take(_ number: Int, by who: Int) throws(Violation) {
        try replicas[who].take(number, all.events[number])
        let live = replicas[who].state.paths[all.events[number].path]?.writes.count ?? 0
        greatestSiblingCount = max(greatestSiblingCount, live)
    }

    private mutating func deliver(from: Int, to: Int, limit: Int) throws(Violation) {
        let missing = replicas[from].order.filter { !replicas[to].known.contains($0) }
        let joined = replicas[to].state.joined(replicas[from].state)
        for number in missing.prefix(limit) { try take(number, by: to) }
        if missing.count <= limit {
            try require(replicas[to].state == joined, "delta merge equals state merge (lesson 17)", "\(from) into \(to)")
        }
    }

    private mutating func repeatDeliveries(to who: Int) throws(Violation) {
        for number in replicas[who].order.suffix(5) { try take(number, by: who) }
    }

    // MARK: What must hold in the end

    func checkModel() throws(Violation) {
        for (who, replica) in replicas.enumerated() {
            for path in paths {
                let expected = all.state(of: path, knowing: replica.known)
                try require(
                    replica.state.paths[path] == expected, path.isRegister ? "last writer wins" : "add wins",
                    "replica \(who), \(path): \(String(describing: replica.state.paths[path])), not \(String(describing: expected))"
                )
                try checkReading(replica.state.paths[path])
            }
        }
    }

    private func checkReading(_ state: PathState?) throws(Violation) {
        guard case .member(let member)? = state else { return }
        let ranked = [member.winner].compactMap { $0 } + member.siblings
        try require(Set(ranked) == Set(member.live), "the winner and its siblings are what is live")
        for (greater, smaller) in zip(ranked, ranked.dropFirst()) {
            try require(smaller.precedes(greater) && !greater.precedes(smaller), "siblings are ranked by one order")
        }
        try require(Member(live: member.live.reversed()) == member, "the order in which dots came does not matter (lesson 13)")
    }

    /// Applies everything in random orders that respect causality as a log does: by head and observed dots.
    mutating func checkOrders() throws(Violation) {
        var inOrder = SpaceState()
        for event in all.events { inOrder.apply(event.effect, to: event.path) }
        for _ in 0..<2 {
            var state = SpaceState()
            var waiting = Array(all.events.indices)
            while !waiting.isEmpty {
                let ready = waiting.indices.filter { isReady(all.events[waiting[$0]].effect, in: state) }
                try require(!ready.isEmpty, "what a history observes is in it")
                let event = all.events[waiting.remove(at: random.pick(ready))]
                state.apply(event.effect, to: event.path)
                if random.isDrawn(percent: 30) { state.apply(event.effect, to: event.path) }
            }
            try require(state == inOrder, "any causal order with any duplication ends in one state")
        }
        let joined = replicas.dropFirst().reduce(replicas[0].state) { $0.joined($1.state) }
        try require(joined == inOrder, "the join of all states is the state of all operations")
    }

    private func isReady(_ effect: Effect, in state: SpaceState) -> Bool {
        effect.dot.sequence == state.versionVector[effect.dot.replica].sequence + 1
            && effect.observed.allSatisfy(state.versionVector.covers)
    }

    mutating func checkJoins(_ tally: inout Tally) throws(Violation) {
        try JoinChecks(states: replicas.map(\.state)).check(using: &random, &tally)
    }
}
