import GimbalCRDT

/// The laws of the join over logs of one space that went apart, as after restored backups: each log took the writers' waiting
/// deltas again, in its own order, under its own caps, and refused its own choice of operations.
public struct ForkLaw: Law {
    public let share: UInt64 = 1

    public init() {}

    public func check(_ history: History, _ tally: inout Tally) throws(Violation) -> Int {
        var fork = Fork(history)
        for (step, random) in Fork.ordered(history) { fork.play(step, random) }
        var checks = JoinChecks(states: fork.states)
        checks.disputed = fork.disputed
        checks.seen = fork.seen
        var random = SeededRandom(seed: history.seed ^ 0x666f_726b)
        try checks.check(using: &random, &tally)
        return fork.operationCount
    }
}

/// At first one log, then writers that wait, then several logs.
struct Fork {
    private struct Operation {
        var dot: Dot
        var path: Path
        var stamp: HybridTimestamp
        var observed: [Dot]
        var isDeletion: Bool

        func effect(cap: HybridTimestamp) -> Effect {
            let effective = min(stamp, cap)
            let hash = Digest(words: Words32(dot.sequence &* 0x9e37_79b9_7f4a_7c15, dot.replica.incarnation, 0, 0))
            let write = Write(
                dot: dot, stamp: effective, created: effective, operationHash: hash,
                value: isDeletion ? nil : Array("\(dot.sequence)".utf8))
            if path.isRegister { return .write(write) }
            return isDeletion ? .remove(dot, observed: observed) : .put(write, observed: observed)
        }
    }

    private struct Log {
        var state = SpaceState()
        var cap = HybridTimestamp.zero
        /// Of the pivot that leads it.
        var milliseconds: UInt64 = 1_000_000
    }

    private struct Author {
        let id: ReplicaID
        var clock = HybridClock()
        var sequence: UInt64 = 0
        var outbox: [Operation] = []
        /// Its last waiting write of a path.
        var pending: [Path: Dot] = [:]
    }

    /// What nodes and pivots may have held on the way.
    private(set) var states: [SpaceState] = []
    private(set) var operationCount = 0
    private var logs = [Log()]
    /// The waiting ones; after them, one for each log, which writes over its state and is in no other.
    private var authors: [Author]
    private var replaced: [Dot: Dot] = [:]
    private var stamps: [Dot: Set<HybridTimestamp>] = [:]
    private var pathsByDot: [Dot: Path] = [:]
    private var random = SeededRandom(seed: 0)
    private let paths: [Path]
    private let waitingCount: Int

    /// Which of the three times a step falls into, and what it draws, follow from the step alone: leaving out others changes
    /// nothing about it.
    enum Phase: Int { case together, waiting, apart }

    static func ordered(_ history: History) -> [(step: (Step, Phase), random: SeededRandom)] {
        var times: [Step: UInt64] = [:]
        let steps = history.steps.map { step in
            times[step, default: 0] += 1
            let text = step.description.utf8.reduce(UInt64(0)) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
            var random = SeededRandom(seed: history.seed ^ text ^ (times[step] ?? 0) << 32)
            let phase = Phase(rawValue: random.below(3)) ?? .apart
            return (step: (step, phase), random: random)
        }
        return [Phase.together, .waiting, .apart].flatMap { phase in steps.filter { $0.step.1 == phase } }
    }

    init(_ history: History) {
        paths = history.paths
        waitingCount = history.swarm.replicas
        authors = (0..<history.swarm.replicas).map { Author(id: Self.id($0)) }
    }

    private static func id(_ number: Int) -> ReplicaID {
        ReplicaID(author: AuthorID(words: Words32(UInt64(number / 2 + 1), 0, 0, 0)), incarnation: UInt64(number))
    }

    /// Registers of which some write has two effective stamps.
    var disputed: Set<Path> {
        Set(stamps.filter { $0.value.count > 1 }.keys.compactMap { pathsByDot[$0] }).filter(\.isRegister)
    }

    /// By register write: those that its writer had seen, directly or not.
    var seen: [Dot: Set<Dot>] { replaced.chains }

    mutating func play(_ step: (Step, Phase), _ random: SeededRandom) {
        self.random = random
        if step.1 == .apart && logs.count == 1 { part() }
        guard case .write(let who, let kind, let pathNumber, _) = step.0 else {
            // What is not a write lets logs go on with what waits.
            if logs.count > 1 { accept(self.random.below(waitingCount), in: self.random.below(logs.count)) }
            return
        }
        let (author, path) = (who % waitingCount, paths[pathNumber % paths.count])
        switch step.1 {
        case .together:
            append(write(author, path, isDeletion: kind == .delete, over: 0), to: 0, isRefused: false)
        case .waiting:
            let operation = write(author, path, isDeletion: kind == .delete, over: 0)
            authors[author].outbox.append(operation)
            authors[author].pending[path] = operation.dot
        case .apart:
            let log = self.random.below(logs.count)
            accept(author, in: log)
            append(write(waitingCount + log, path, isDeletion: kind == .delete, over: log), to: log, isRefused: false)
        }
    }

    /// The backup is restored once or twice.
    private mutating func part() {
        logs = Array(repeating: logs[0], count: random.within(2...3))
        for number in logs.indices {
            logs[number].milliseconds += UInt64(random.below(60))
            authors.append(Author(id: Self.id(100 + number)))
        }
    }

    private mutating func write(_ number: Int, _ path: Path, isDeletion: Bool, over log: Int) -> Operation {
        var author = authors[number]
        defer { authors[number] = author }
        let state = logs[log].state
        for write in state.paths.values.flatMap(\.writes) { author.clock.observe(write.stamp) }
        let wall = logs[0].milliseconds + UInt64(random.pick([0, 0, 20, 40, 60, 500]))
        author.sequence += 1
        let dot = Dot(replica: author.id, sequence: author.sequence)
        let live = (state.paths[path]?.writes ?? []).map(\.dot)
        let operation = Operation(
            dot: dot, path: path, stamp: author.clock.tick(wallMilliseconds: wall),
            observed: path.isRegister ? [] : live.filter { $0.replica != author.id }, isDeletion: isDeletion)
        if path.isRegister, let before = author.pending[path] ?? live.first { replaced[dot] = before }
        pathsByDot[dot] = path
        operationCount += 1
        return operation
    }

    /// A log takes the next of an author's waiting operations, if there is one that it has not.
    private mutating func accept(_ author: Int, in log: Int) {
        let waiting = authors[author].outbox.first { !logs[log].state.versionVector.covers($0.dot) }
        if let waiting { append(waiting, to: log, isRefused: random.isDrawn(percent: 15)) }
    }

    private mutating func append(_ operation: Operation, to number: Int, isRefused: Bool) {
        logs[number].milliseconds += UInt64(random.below(10))
        let ahead = HybridTimestamp(milliseconds: logs[number].milliseconds + 30)
        logs[number].cap = max(ahead, logs[number].cap.successor)
        if isRefused {
            logs[number].state.refuse(operation.dot, reason: random.pick(["forbidden", "too-large"]))
        } else {
            let effect = operation.effect(cap: logs[number].cap)
            logs[number].state.apply(effect, to: operation.path)
            if let stamp = effect.stamp { stamps[operation.dot, default: []].insert(stamp) }
        }
        if random.isDrawn(percent: 30) || logs.count > 1 { states.append(logs[number].state) }
    }
}

extension [Dot: Dot] {
    /// From each dot all that can be reached.
    var chains: [Dot: Set<Dot>] {
        var chains: [Dot: Set<Dot>] = [:]
        for dot in keys {
            var reached: Set<Dot> = []
            var next = self[dot]
            while let found = next, reached.insert(found).inserted { next = self[found] }
            chains[dot] = reached
        }
        return chains
    }
}
