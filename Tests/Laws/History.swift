import GimbalCRDT

/// What a number of replicas do, one step after the other. The same history is given to every law.
public struct History: Hashable, Sendable {
    public var seed: UInt64
    public var swarm: Swarm
    public var steps: [Step]

    /// The history of a seed.
    public init(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        self.seed = seed
        swarm = Swarm(drawnFrom: &random)
        steps = []
        var writes = 0
        while writes < swarm.writes {
            let step = Self.draw(swarm, &random)
            // A deletion or a patch may find nothing to do.
            if case .write(_, let kind, _, _) = step, kind != .delete, kind != .patch { writes += 1 }
            steps.append(step)
        }
    }

    private static func draw(_ swarm: Swarm, _ random: inout SeededRandom) -> Step {
        if let fault = swarm.faults.isEmpty || random.isDrawn(percent: 85) ? nil : random.pick(swarm.faults),
            let step = draw(fault, swarm, &random)
        {
            return step
        }
        let who = random.below(swarm.replicas)
        guard random.isDrawn(percent: swarm.exchangePercent) else {
            // Beyond the fixed paths are those that were added.
            let path = random.below(swarm.registers + swarm.members + 2)
            return .write(
                who: who, random.pick(swarm.kinds), path: path,
                waits: swarm.has(.batches) && random.isDrawn(percent: 50))
        }
        if random.isDrawn(percent: 50) { return .push(who: who, fate(swarm, &random)) }
        return .pull(who: who, from: random.below(swarm.replicas), limit: random.pick([1, 2, 5, 1000]))
    }

    private static func fate(_ swarm: Swarm, _ random: inout SeededRandom) -> Step.Fate {
        let fates = zip([.lost, .answerLost, .twice, .late], [Step.Fate.lost, .answerLost, .twice, .late])
            .filter { swarm.has($0.0) }.map(\.1)
        return fates.isEmpty || random.isDrawn(percent: 55) ? .delivered : random.pick(fates)
    }

    /// Nil for faults that come with other steps.
    private static func draw(_ fault: Swarm.Fault, _ swarm: Swarm, _ random: inout SeededRandom) -> Step? {
        let node = random.within(1...swarm.replicas - 1)
        switch fault {
        case .lost, .answerLost, .twice, .late, .batches: return nil
        case .stalePages: return .stalePage(who: node)
        case .crash: return .crash(who: node)
        case .failedCommits: return .failCommit(who: random.below(swarm.replicas))
        case .clocks:
            let hour: Int64 = 3_600_000
            return .clock(
                who: random.below(swarm.replicas),
                offset: random.pick([0, 10_000, -10_000, 29_990, 31_000, hour, -hour, 24 * 365 * hour, -24 * 365 * 60 * hour]))
        case .grants: return .grant(who: node, random.pick(Step.Grant.allCases))
        case .limits: return .limit(bytes: random.pick([40, 1 << 20]))
        case .rollback: return random.isDrawn(percent: 50) ? .save(who: node) : .restore(who: node)
        case .clone: return .clone(who: node)
        case .pivotRestart: return .crash(who: 0)
        case .pivotRestore: return random.isDrawn(percent: 50) ? .save(who: 0) : .restore(who: 0)
        }
    }

    /// The fixed paths: registers first.
    public var paths: [Path] {
        ((0..<swarm.registers).map { "register-\($0)" } + (0..<swarm.members).map { "things/\($0)" }).compactMap { Path($0) }
    }
}

extension History: CustomStringConvertible {
    /// As it stands in Tests/LawTests/Counterexamples.
    public var description: String { (["seed \(seed)", "\(swarm)"] + steps.map(\.description)).joined(separator: "\n") }

    /// Lines that begin with # are for people. Nil when a line cannot be read.
    public init?(_ text: String) {
        let lines = text.split(separator: "\n").filter { !$0.hasPrefix("#") }
        guard lines.count >= 2, lines[0].hasPrefix("seed "), let seed = UInt64(lines[0].dropFirst(5)),
            let swarm = Swarm(String(lines[1]))
        else { return nil }
        let steps = lines.dropFirst(2).map { Step(String($0)) }
        guard steps.allSatisfy({ $0 != nil }) else { return nil }
        self.seed = seed
        self.swarm = swarm
        self.steps = steps.compactMap { $0 }
    }
}
