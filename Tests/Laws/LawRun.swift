import Dispatch
import Foundation
import Synchronization

/// The histories of many seeds, on all cores, each checked by all laws.
public struct LawRun: Sendable {
    public struct Failure: Sendable {
        public var seed: UInt64
        public var violation: Violation
        public var shrunk: History
    }

    public let laws: [any Law]

    public init(laws: [any Law] = [MeshLaw(), ForkLaw(), ExchangeLaw()]) { self.laws = laws }

    /// A history counts when it is at least that long. Where faults left less of it, it is checked all the same.
    public static let leastOperations = 30

    /// Nil when all laws hold.
    public func violation(of history: History) -> Violation? {
        var scrap = Tally()
        return Self.check(history, laws, &scrap).violation
    }

    /// What is violated, and how many operations there were for the law that saw the fewest.
    private static func check(
        _ history: History, _ laws: [any Law], _ tally: inout Tally
    ) -> (violation: Violation?, operations: Int) {
        var operations = Int.max
        for law in laws {
            do throws(Violation) {
                operations = min(operations, try law.check(history, &tally))
            } catch {
                return (error, 0)
            }
        }
        return (nil, operations)
    }

    /// Checks seeds from `first` on until `count` histories count.
    ///
    /// - Returns: what the histories were like, and the failure with the smallest seed, shrunk.
    public func run(from first: UInt64, count: Int, shrinking: Bool = true) -> (Tally, Failure?) {
        let workers = min(count, max(1, ProcessInfo.processInfo.activeProcessorCount))
        let results = Mutex<(tally: Tally, failed: UInt64?)>((Tally(), nil))
        DispatchQueue.concurrentPerform(iterations: workers) { worker in
            var tally = Tally()
            var remaining = (count + workers - 1 - worker) / workers
            var seed = first &+ UInt64(worker)
            while remaining > 0, !results.withLock({ $0.failed.map { $0 < seed } ?? false }) {
                let history = History(seed: seed)
                let (violation, operations) = Self.check(history, laws.filter { seed.isMultiple(of: $0.share) }, &tally)
                if violation != nil {
                    results.withLock { $0.failed = min($0.failed ?? seed, seed) }
                } else if operations >= Self.leastOperations {
                    remaining -= 1
                    tally.count("histories")
                    tally.note("replicas", history.swarm.replicas)
                    tally.note("operations", operations)
                    tally.note("steps", history.steps.count)
                } else {
                    tally.count("shorter histories")
                }
                seed &+= UInt64(workers)
            }
            results.withLock { $0.tally.add(tally) }
        }
        let (tally, failed) = results.withLock { $0 }
        return (tally, failed.flatMap { failure(of: $0, shrinking: shrinking) })
    }

    /// Shrinks the history of a seed that failed.
    private func failure(of seed: UInt64, shrinking: Bool) -> Failure? {
        guard let violation = violation(of: History(seed: seed)) else { return nil }
        let shrunk = shrinking ? shrink(History(seed: seed), violation) : History(seed: seed)
        return Failure(seed: seed, violation: violation, shrunk: shrunk)
    }

    /// The smallest part of a history that breaks the same law.
    public func shrink(_ history: History, _ violation: Violation) -> History {
        Shrinker.shrink(history) { self.violation(of: $0)?.law == violation.law }
    }
}
