/// What may happen in one history. Each draws its own selection, so that rare mixtures of operations and faults come up.
///
/// A. Groce et al., "Swarm Testing", ISSTA 2012.
public struct Swarm: Hashable, Sendable {
    public enum Fault: String, CaseIterable, Sendable {
        case lost, answerLost = "answer-lost", twice, late
        case stalePages = "stale-pages"
        case crash
        case failedCommits = "failed-commits"
        case batches
        case clocks, grants, limits
        case rollback, clone
        case pivotRestart = "pivot-restart"
        case pivotRestore = "pivot-restore"
    }

    /// The pivot, or whoever plays it, is number 0.
    public var replicas: Int
    public var registers: Int
    public var members: Int
    /// Milliseconds that pass with each step; 0 makes for equal stamps.
    public var tick: UInt64
    public var kinds: [Step.Kind]
    public var faults: [Fault]
    /// How many of a hundred steps exchange something. Few of them make many siblings.
    public var exchangePercent: Int
    /// Writes, at least.
    public var writes: Int

    public init(drawnFrom random: inout SeededRandom) {
        replicas = random.isDrawn(percent: 15) ? 10 : random.within(3...7)
        registers = random.within(0...2)
        members = random.within(registers == 0 ? 1...3 : 0...3)
        tick = random.pick([0, 0, 1, 1, 20, 5_000, 40_000])
        // Deletions and patches often find nothing to do: set counts twice.
        kinds = [.set, .set] + Step.Kind.allCases.dropFirst().filter { _ in random.isDrawn(percent: 60) }
        // One in three runs has few faults: what only shows in long calm stretches must come up too.
        let percent = random.pick([4, 25, 40])
        faults = Fault.allCases.filter { _ in random.isDrawn(percent: percent) }
        exchangePercent = random.pick([8, 20, 35, 50])
        writes = random.within(34...44)
    }

    public func has(_ fault: Fault) -> Bool { faults.contains(fault) }
}

extension Swarm: CustomStringConvertible {
    /// One line; `init(_:)` reads it back.
    public var description: String {
        "swarm \(replicas) \(registers) \(members) \(tick) \(exchangePercent) \(writes) "
            + kinds.map(\.rawValue).joined(separator: ",") + " " + faults.map(\.rawValue).joined(separator: ",")
    }

    public init?(_ line: String) {
        let words = line.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        guard words.count == 9, words[0] == "swarm", let replicas = Int(words[1]), replicas >= 2,
            let registers = Int(words[2]), let members = Int(words[3]), registers + members > 0, let tick = UInt64(words[4]),
            let exchangePercent = Int(words[5]), let writes = Int(words[6])
        else { return nil }
        self.replicas = replicas
        self.registers = registers
        self.members = members
        self.tick = tick
        self.exchangePercent = exchangePercent
        self.writes = writes
        kinds = words[7].split(separator: ",").compactMap { Step.Kind(rawValue: String($0)) }
        faults = words[8].split(separator: ",").compactMap { Fault(rawValue: String($0)) }
    }
}
