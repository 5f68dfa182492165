import GimbalCRDT

/// The laws of the merge. The input is a history: replicas that write, tell each other what they know, and join; whatever the
/// history, every state is what a model that forgets nothing says.
enum MergeProperties {
    private static let paths = ["one", "two", "things/1", "things/2"].map(Scene.path)

    static func check(_ bytes: [UInt8]) {
        var script = Script(bytes)
        var history = History(replicaCount: 2 + script.below(3))
        while !script.isAtEnd, history.events.count < 48 { history.step(&script) }
        history.checkStates()
        history.checkJoins()
        history.checkOrder(&script)
    }

    fileprivate struct Event {
        var path: Path
        var effect: Effect
        /// Nil where the pivot accepted it.
        var refusal: String?

        func apply(to state: inout SpaceState) {
            if let refusal { state.refuse(effect.dot, reason: refusal) } else { state.apply(effect, to: path) }
        }
    }

    private struct History {
        private(set) var events: [Event] = []
        private var replicas: [(state: SpaceState, known: Set<Int>)]

        init(replicaCount: Int) { replicas = Array(repeating: (SpaceState(), []), count: replicaCount) }

        mutating func step(_ script: inout Script) {
            let index = script.below(replicas.count)
            switch script.below(8) {
            case 0: learn(index, from: script.below(replicas.count), most: 1 + script.below(48))
            case 1: join(index, script.below(replicas.count))
            default: write(index, &script)
            }
        }

        /// What another replica knows, event by event, up to some of them: a prefix respects causality.
        private mutating func learn(_ index: Int, from other: Int, most: Int) {
            for event in replicas[other].known.sorted().prefix(most) where !replicas[index].known.contains(event) {
                events[event].apply(to: &replicas[index].state)
                replicas[index].known.insert(event)
            }
        }

        private mutating func join(_ index: Int, _ other: Int) {
            replicas[index].state = replicas[index].state.joined(replicas[other].state)
            replicas[index].known.formUnion(replicas[other].known)
        }

        private mutating func write(_ index: Int, _ script: inout Script) {
            // Replicas 0 and 1 are two lives of one author.
            let replica = ReplicaID(
                author: AuthorID(words: Words32(UInt64(index / 2), 0, 0, 0)), incarnation: UInt64(index))
            let state = replicas[index].state
            let dot = Dot(replica: replica, sequence: state.versionVector[replica].sequence + 1)
            let path = script.element(of: MergeProperties.paths)
            let kind = script.byte()
            let stamp = HybridTimestamp(rawValue: 1 + UInt64(script.below(6)))
            let write = Write(
                dot: dot, stamp: stamp, created: stamp, operationHash: Digest(words: Words32(0, 0, 0, UInt64(events.count))),
                value: kind & 1 == 0 ? [kind] : nil)
            let observed = observed(by: replica, at: path, in: state, &script, all: kind & 2 == 0)
            let effect: Effect =
                path.isRegister
                ? .write(write) : kind & 1 == 0 ? .put(write, observed: observed) : .remove(dot, observed: observed)
            let event = Event(path: path, effect: effect, refusal: kind & 0x1c == 0 ? "forbidden" : nil)
            event.apply(to: &replicas[index].state)
            replicas[index].known.insert(events.count)
            events.append(event)
        }

        /// What is live there of others; or, from a strange writer, any dots that it knows of.
        private func observed(
            by replica: ReplicaID, at path: Path, in state: SpaceState, _ script: inout Script, all: Bool
        ) -> [Dot] {
            let live = (state.paths[path]?.writes ?? []).map(\.dot)
            guard !all else { return live.filter { $0.replica != replica } }
            return state.versionVector.sorted.filter { $0.replica != replica }.map { head in
                Dot(replica: head.replica, sequence: 1 + UInt64(script.below(Int(head.head.sequence))))
            }
        }

        // MARK: Laws

        /// What a replica that knows these events must hold.
        private func model(_ known: Set<Int>) -> SpaceState {
            let accepted = known.sorted().map { events[$0] }.filter { $0.refusal == nil }
            var paths: [Path: PathState] = [:]
            for path in MergeProperties.paths {
                let here = accepted.filter { $0.path == path }
                let writes = here.compactMap(\.write)
                if path.isRegister {
                    paths[path] = writes.max { $0.precedes($1) }.map { .register(Register($0)) }
                } else {
                    let live = writes.filter { write in !here.contains { $0.takesAway(write.dot) } }
                    if !live.isEmpty { paths[path] = .member(Member(live: live)) }
                }
            }
            let observed = Set(accepted.flatMap(\.effect.observed))
            var refused: [Dot: String] = [:]
            var heads: [ReplicaID: Head] = [:]
            for event in known.sorted().map({ events[$0] }) {
                let dot = event.effect.dot
                if let reason = event.refusal, !observed.contains(dot) { refused[dot] = reason }
                heads[dot.replica] = Head(sequence: dot.sequence, headerHash: .zero)
            }
            return SpaceState(versionVector: VersionVector(heads: heads), paths: paths, refused: refused)
        }

        func checkStates() {
            for (index, replica) in replicas.enumerated() {
                require(replica.state == model(replica.known), "replica \(index) holds what its history says")
            }
        }

        func checkJoins() {
            for one in replicas {
                require(one.state.joined(one.state) == one.state, "joining is idempotent")
                for two in replicas {
                    let joined = one.state.joined(two.state)
                    require(joined == two.state.joined(one.state), "joining is commutative")
                    require(joined == model(one.known.union(two.known)), "a join knows what both knew")
                    require(joined.joined(one.state) == joined, "a join has both sides in it")
                    for three in replicas {
                        let left = joined.joined(three.state)
                        require(left == one.state.joined(two.state.joined(three.state)), "joining is associative")
                    }
                }
            }
        }

        /// All events once more, in another order that respects causality, some of them twice.
        func checkOrder(_ script: inout Script) {
            var state = SpaceState()
            var waiting = Array(events.indices)
            while !waiting.isEmpty {
                let ready = waiting.filter { index in
                    let effect = events[index].effect
                    return effect.dot.sequence == state.versionVector[effect.dot.replica].sequence + 1
                        && effect.observed.allSatisfy(state.versionVector.covers)
                }
                require(!ready.isEmpty, "a causal order goes on")
                let event = ready[(events.count - waiting.count) * 7 % max(ready.count, 1)]
                waiting.removeAll { $0 == event }
                events[event].apply(to: &state)
                if event.isMultiple(of: 3) { events[event].apply(to: &state) }
            }
            require(state == model(Set(events.indices)), "neither order nor duplication matters")
        }
    }
}

extension MergeProperties.Event {
    fileprivate var write: Write? {
        switch effect {
        case .write(let write), .put(let write, _): write
        case .remove: nil
        }
    }

    /// Whether this accepted operation ends the life of a dot on its path: it observed it, or is a later one of its replica.
    fileprivate func takesAway(_ dot: Dot) -> Bool {
        effect.observed.contains(dot) || (effect.dot.replica == dot.replica && dot.sequence < effect.dot.sequence)
    }
}
