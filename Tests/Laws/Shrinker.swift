/// Makes a failing history small: leaves out steps as long as what is left still fails.
///
/// A. Zeller, R. Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002 (ddmin, by chunks of halving size).
public enum Shrinker {
    public static func shrink(_ history: History, stillFails: (History) -> Bool) -> History {
        var smallest = history
        var size = max(1, smallest.steps.count / 2)
        while true {
            var start = 0
            var isSmaller = false
            while start < smallest.steps.count {
                var candidate = smallest
                candidate.steps.removeSubrange(start..<min(start + size, candidate.steps.count))
                if stillFails(candidate) {
                    smallest = candidate
                    isSmaller = true
                } else {
                    start += size
                }
            }
            if size == 1 && !isSmaller { break }
            size = max(1, size / 2)
        }
        return simplify(smallest, stillFails: stillFails)
    }

    /// Fewer replicas and plainer steps, where that fails too.
    private static func simplify(_ history: History, stillFails: (History) -> Bool) -> History {
        var simplest = history
        for replicas in 2..<max(3, simplest.swarm.replicas) {
            var candidate = simplest
            candidate.swarm.replicas = replicas
            if stillFails(candidate) {
                simplest = candidate
                break
            }
        }
        for index in simplest.steps.indices {
            for plainer in plainer(simplest.steps[index]) {
                var candidate = simplest
                candidate.steps[index] = plainer
                if stillFails(candidate) {
                    simplest = candidate
                    break
                }
            }
        }
        return simplest
    }

    private static func plainer(_ step: Step) -> [Step] {
        switch step {
        case .write(let who, let kind, let path, let waits):
            [.write(who: who, .set, path: path, waits: false), .write(who: who, kind, path: path, waits: false)].filter {
                $0 != step
            }
                + (waits ? [.write(who: who, .set, path: path, waits: true)] : [])
        case .push(let who, let fate): fate == .delivered ? [] : [.push(who: who, .delivered)]
        case .pull(let who, let from, let limit): limit == 1000 ? [] : [.pull(who: who, from: from, limit: 1000)]
        default: []
        }
    }
}
