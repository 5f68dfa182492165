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

    public init(laws: [any Law] = [MeshLaw(), ExchangeLaw()]) { self.laws = laws }

    /// Nil when all laws hold.
    public func violation(of history: History, _ tally: inout Tally) -> Violation? {
        for law in laws {
            do throws(Violation) {
                try law.check(history, &tally)
            } catch {
                return error
            }
        }
        return nil
    }

    /// Checks `count` seeds from `first` on.
    ///
    /// - Returns: what the histories were like, and the failure with the smallest seed, shrunk.
    public func run(from first: UInt64, count: Int) -> (Tally, Failure?) {
        let workers = max(1, ProcessInfo.processInfo.activeProcessorCount)
        let results = Mutex<(tally: Tally, failed: UInt64?)>((Tally(), nil))
        DispatchQueue.concurrentPerform(iterations: workers) { worker in
            var tally = Tally()
            for offset in stride(from: worker, to: count, by: workers) {
                let seed = first &+ UInt64(offset)
                if results.withLock({ $0.failed.map { $0 < seed } ?? false }) { break }
                let history = History(seed: seed)
                tally.count("histories")
                tally.note("replicas", history.swarm.replicas)
                tally.note("steps", history.steps.count)
                if violation(of: history, &tally) != nil {
                    results.withLock { $0.failed = min($0.failed ?? seed, seed) }
                }
            }
            results.withLock { $0.tally.add(tally) }
        }
        let (tally, failed) = results.withLock { $0 }
        return (tally, failed.flatMap(failure(of:)))
    }

    /// Shrinks the history of a seed that failed.
    private func failure(of seed: UInt64) -> Failure? {
        var scrap = Tally()
        guard let violation = violation(of: History(seed: seed), &scrap) else { return nil }
        let shrunk = shrink(History(seed: seed), violation)
        return Failure(seed: seed, violation: violation, shrunk: shrunk)
    }

    /// The smallest part of a history that breaks the same law.
    public func shrink(_ history: History, _ violation: Violation) -> History {
        Shrinker.shrink(history) { candidate in
            var scrap = Tally()
            return self.violation(of: candidate, &scrap)?.law == violation.law
        }
    }
}
