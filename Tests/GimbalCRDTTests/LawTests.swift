import GimbalCRDT
import Testing

/// SplitMix64: seeded histories are the same on every machine.
struct SeededRandom: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

/// What has to hold of every history: three replicas that write, exchange what they wrote in any causal order, and join.
struct LawTests {
    private struct Event {
        var path: Path
        var effect: Effect
    }

    /// Each replica writes and sometimes takes in what another one has written; all events in an order that respects causality.
    private static func history(_ seed: UInt64) throws -> (events: [Event], replicas: [SpaceState]) {
        var random = SeededRandom(state: seed)
        let paths = try ["settings", "things/1", "things/2"].map { try #require(Path($0)) }
        let ids = try ["a1", "b1", "c1"].map { try TruthTableTests.dot(Substring($0)).replica }
        var replicas = [SpaceState](repeating: SpaceState(), count: 3)
        var events: [Event] = []
        /// How many of `events` each replica has.
        var known: [[Int]] = [[], [], []]
        for _ in 0..<40 {
            let index = Int.random(in: 0..<3, using: &random)
            if Int.random(in: 0..<3, using: &random) == 0 {
                let other = Int.random(in: 0..<3, using: &random)
                for event in known[other] where !known[index].contains(event) {
                    replicas[index].apply(events[event].effect, to: events[event].path)
                    known[index].append(event)
                }
                continue
            }
            let path = paths[Int.random(in: 0..<3, using: &random)]
            let replica = ids[index]
            let dot = Dot(replica: replica, sequence: replicas[index].versionVector[replica].sequence + 1)
            let stamp = UInt64.random(in: 1...6, using: &random)
            let write = TruthTableTests.write(dot, stamp: stamp, value: Bool.random(using: &random) ? "\(stamp)" : nil)
            let seen = (replicas[index].paths[path]?.writes ?? []).map(\.dot).filter { $0.replica != replica }
            let effect: Effect
            if path.isRegister {
                effect = .write(write)
            } else {
                effect = Bool.random(using: &random) ? .put(write, observed: seen) : .remove(dot, observed: seen)
            }
            replicas[index].apply(effect, to: path)
            known[index].append(events.count)
            events.append(Event(path: path, effect: effect))
        }
        return (events, replicas)
    }

    @Test("any causal order of delivery ends in one state, and joins of states end there too")
    func convergence() throws {
        for seed in UInt64(0)..<3000 {
            let (events, replicas) = try Self.history(seed)
            var all = SpaceState()
            for event in events { all.apply(event.effect, to: event.path) }
            let joined = replicas[0].joined(replicas[1]).joined(replicas[2])
            #expect(joined == replicas[2].joined(replicas[0].joined(replicas[1])), "seed \(seed): not associative or commutative")
            #expect(joined.joined(replicas[1]) == joined, "seed \(seed): not idempotent")
            #expect(joined == all, "lesson 17, seed \(seed): delta merge differs from state merge")
            // Another order: by replica as far as causality allows.
            var late = SpaceState()
            var waiting = events
            while !waiting.isEmpty {
                let next = waiting.lastIndex { event in
                    let dot = event.effect.dot
                    return dot.sequence == late.versionVector[dot.replica].sequence + 1
                        && event.effect.observed.allSatisfy(late.versionVector.covers)
                }
                let event = waiting.remove(at: try #require(next))
                late.apply(event.effect, to: event.path)
                late.apply(event.effect, to: event.path)
            }
            #expect(late == all, "seed \(seed): order or duplication matters")
        }
    }

    @Test("lesson 13: equal stamps have one winner, whoever is asked")
    func ties() throws {
        let one = TruthTableTests.write(try TruthTableTests.dot("a1"), stamp: 5, value: "1")
        let two = TruthTableTests.write(try TruthTableTests.dot("b1"), stamp: 5, value: "2")
        var left = Register(one)
        left.apply(two)
        var right = Register(two)
        right.apply(one)
        #expect(left == right)
        #expect(Member(live: [one, two]).winner == Member(live: [two, one]).winner)
    }

    @Test("clocks rise whatever the wall clock does, and follow what they see")
    func clock() {
        var clock = HybridClock()
        var last = HybridTimestamp.zero
        for wall: UInt64 in [1000, 1000, 5, 0, 2000, 1999, .max, 0] {
            let stamp = clock.tick(wallMilliseconds: wall)
            #expect(stamp > last || last == .greatest)
            last = stamp
        }
        var follower = HybridClock()
        follower.observe(HybridTimestamp(milliseconds: 77, counter: 0xffff))
        #expect(follower.tick(wallMilliseconds: 1) == HybridTimestamp(milliseconds: 78, counter: 0))
        #expect(HybridTimestamp.greatest.nanoseconds <= UInt64(Int64.max))
    }
}
