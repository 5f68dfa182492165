import GimbalCRDT

/// The laws of the join over some states that one space can have.
struct JoinChecks {
    let states: [SpaceState]
    /// Registers of which some write has another effective stamp in one state than in another: there a join of three may depend
    /// on the order (docs/decisions/0002-what-a-register-join-keeps.md).
    var disputed: Set<Path> = []
    /// By register write: the writes that its writer had seen, directly or not.
    var seen: [Dot: Set<Dot>] = [:]

    init(states: [SpaceState]) { self.states = states + [SpaceState()] }

    /// Checks some pairs and triples, drawn at random.
    func check(using random: inout SeededRandom, _ tally: inout Tally) throws(Violation) {
        for _ in 0..<min(6, states.count * states.count) {
            let (one, other, third) = (random.pick(states), random.pick(states), random.pick(states))
            let joined = one.joined(other)
            try require(joined == other.joined(one), "the join is commutative", difference(joined, other.joined(one)))
            try require(joined.joined(other) == joined, "the join is idempotent", difference(joined.joined(other), joined))
            try require(one.joined(one) == one, "a state joined with itself is itself")
            try require(joined.joined(one) == joined, "the join grows both sides", difference(joined.joined(one), joined))
            try checkDots(one, other, joined)
            try checkRegisters(one, other, joined)
            let left = undisputed(joined.joined(third))
            let right = undisputed(one.joined(other.joined(third)))
            try require(left == right, "the join is associative", difference(left, right))
            tally.count("joins of three")
            if !disputed.isEmpty { tally.count("joins of three with disputed caps") }
        }
    }

    private func undisputed(_ state: SpaceState) -> SpaceState {
        guard !disputed.isEmpty else { return state }
        return SpaceState(
            versionVector: state.versionVector, paths: state.paths.filter { !disputed.contains($0.key) }, refused: state.refused)
    }

    /// Of a dot: unseen, refused, live, gone. A join takes the greater.
    private enum Condition: Int, Comparable {
        case unseen, refused, live, gone

        static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    }

    private func condition(_ dot: Dot, _ path: Path, in state: SpaceState) -> Condition {
        if state.paths[path]?.writes.contains(where: { $0.dot == dot }) ?? false { return .live }
        if state.refused[dot] != nil { return .refused }
        return state.versionVector.covers(dot) ? .gone : .unseen
    }

    /// Members and refusals, by their definition.
    private func checkDots(_ one: SpaceState, _ other: SpaceState, _ joined: SpaceState) throws(Violation) {
        for path in Set(one.paths.keys).union(other.paths.keys) where !path.isRegister {
            let sides = [one, other].map { $0.paths[path]?.writes ?? [] }
            for write in sides[0] + sides[1] {
                let expected = max(condition(write.dot, path, in: one), condition(write.dot, path, in: other))
                try require(
                    condition(write.dot, path, in: joined) == expected, "what a side removed stays removed, what it added stays",
                    "\(path) \(write.dot): \(expected)")
                guard expected == .live else { continue }
                let stamps = (sides[0] + sides[1]).filter { $0.dot == write.dot }.map(\.stamp)
                let kept = joined.paths[path]?.writes.first { $0.dot == write.dot }?.stamp
                try require(kept == stamps.min(), "of one dot the smaller effective stamp stays", "\(path) \(write.dot)")
            }
        }
        for dot in Set(one.refused.keys).union(other.refused.keys) {
            let isAccepted = [one, other].contains { $0.versionVector.covers(dot) && $0.refused[dot] == nil }
            try require(
                (joined.refused[dot] == nil) == isAccepted, "what one side accepted counts as accepted", "\(dot)")
        }
    }

    private func checkRegisters(_ one: SpaceState, _ other: SpaceState, _ joined: SpaceState) throws(Violation) {
        for path in Set(one.paths.keys).union(other.paths.keys) where path.isRegister {
            let holders = [one, other].filter { $0.paths[path] != nil }
            let sides = holders.compactMap { $0.paths[path]?.writes.first }
            guard let kept = joined.paths[path]?.writes.first else { throw Violation("a join keeps registers", "\(path)") }
            try require(sides.contains { $0.dot == kept.dot }, "a join keeps one of the writes", "\(path)")
            for (holder, write) in zip(holders, sides) where holder.refused[kept.dot] == nil {
                try require(
                    !(seen[write.dot]?.contains(kept.dot) ?? false), "a write never gives way to one that its writer had seen",
                    "\(path): \(kept.dot) over \(write.dot)")
            }
            if !disputed.contains(path), sides.count == 2 {
                let greatest = sides[0].precedes(sides[1]) ? sides[1] : sides[0]
                try require(kept == greatest, "where stamps agree the greatest write stays", "\(path)")
            }
        }
    }

    private func difference(_ left: SpaceState, _ right: SpaceState) -> String {
        let paths = Set(left.paths.keys).union(right.paths.keys).filter { left.paths[$0] != right.paths[$0] }.sorted()
        let shown = paths.map { path in
            "\(path): \(left.paths[path]?.writes.map { "\($0.dot)@\($0.stamp)" } ?? []) against "
                + "\(right.paths[path]?.writes.map { "\($0.dot)@\($0.stamp)" } ?? [])"
        }
        return shown.joined(separator: "; ")
            + (left.refused == right.refused ? "" : " refused dots")
            + (left.versionVector == right.versionVector ? "" : " version vectors")
    }
}
