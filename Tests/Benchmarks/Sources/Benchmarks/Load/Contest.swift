/// One server in a contest.
struct Contender {
    let name: String
    let processIdentifier: Int32
    let plan: LoadPlan
}

/// One contender's rounds and their medians.
struct ContestResult {
    let rounds: [LoadResult]

    var rate: Double { median(rounds.map(\.rate)) }
    var p50: Double { median(rounds.map(\.latencies.p50)) }
    var p99: Double { median(rounds.map(\.latencies.p99)) }

    var summary: String { "\(Text.rate(rate)), p50 \(Text.milliseconds(p50))" }
    var latencySummary: String { Text.percentiles(p50: p50, p99: p99) }

    /// The median of the ratios round by round: neighbours in time met the same machine.
    func ratio(to peer: ContestResult, of figure: (LoadResult) -> Double) -> Double {
        median(zip(rounds, peer.rounds).map { figure($0) / figure($1) })
    }
}

/// Several servers under the same load, one round each in turn: what slows the machine down for a while hits them all.
struct Contest {
    let rounds: Int
    let secondsPerRound: Double

    func run(_ contenders: [Contender]) throws -> [ContestResult] {
        var results = contenders.map { _ in [LoadResult]() }
        for round in 1...rounds {
            for (index, contender) in contenders.enumerated() {
                results[index].append(try measure(contender, round: round))
            }
        }
        return results.map(ContestResult.init)
    }

    private func measure(_ contender: Contender, round: Int) throws -> LoadResult {
        // What the last contender still does in the background is not to slow this one down.
        sleepMilliseconds(100)
        let before = try ProcessFigures(contender.processIdentifier)
        let warmUpSeconds = secondsPerRound / 5
        let result = try LoadGenerator.run(
            contender.plan, .time(warmUpSeconds: warmUpSeconds, seconds: secondsPerRound))
        let after = try ProcessFigures(contender.processIdentifier)
        try check(result, of: contender)
        // The processor time includes the warm-up, so it is set against the requests that ran in both.
        let requestsWithWarmUp = result.rate * (secondsPerRound + warmUpSeconds)
        let microseconds = (after.processorSeconds - before.processorSeconds) * 1e6 / max(requestsWithWarmUp, 1)
        Text.progress(
            "  round \(round) \(contender.name): \(Text.rate(result.rate)), "
                + Text.percentiles(p50: result.latencies.p50, p99: result.latencies.p99)
                + ", \(Text.fixed(microseconds, digits: 1)) µs of its processor time a request, "
                + "\(result.answerBytes / max(result.requests, 1)) bytes an answer")
        return result
    }

    /// One answer in a thousand may miss the expected header: a machine that stood still past a deadline is no wrong answer.
    private func check(_ result: LoadResult, of contender: Contender) throws {
        guard result.requests > 0 else { throw BenchmarkFailure("\(contender.name) answered nothing in a round") }
        guard let line = contender.plan.expectedHeaderLine, result.answersWithoutHeaderLine > 0 else { return }
        let share = "\(result.answersWithoutHeaderLine) of \(result.requests) answers of \(contender.name) without “\(line)”"
        guard result.answersWithoutHeaderLine * 1000 <= result.requests else { throw BenchmarkFailure(share) }
        Text.progress("  note: \(share)")
    }
}
