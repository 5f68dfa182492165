/// Row 1: a POST is answered when it is on disk, and so is a SET of a Redis that syncs its append-only file every time.
struct DurableWriteRow {
    /// How many times Redis's rate docs/performance.md promises, for each number of connections.
    private let promises = [(connections: 32, ratio: 1.5), (connections: 1, ratio: 0.8)]

    func measure(_ run: BenchmarkRun) throws {
        let redis = try run.peers.redis()
        defer { redis.process.end(graceful: false) }
        let keys = run.settings.keys
        try run.load(redis.port, count: keys, request: .redisSet)
        let pivot = try run.loadedPivot()
        for promise in promises {
            func plan(_ port: UInt16, _ request: RequestTemplate) -> LoadPlan {
                LoadPlan(port: port, connections: promise.connections, request: request, keys: .uniform(below: keys))
            }
            let results = try run.settings.contest.run([
                Contender(
                    name: "Redis SET", processIdentifier: redis.process.identifier, plan: plan(redis.port, .redisSet)),
                Contender(
                    name: "pivot POST", processIdentifier: pivot.process.identifier, plan: plan(pivot.port, .httpPost)),
            ])
            let (peer, ours) = (results[0], results[1])
            let ratio = ours.ratio(to: peer, of: \.rate)
            run.report.add(
                ReportRow(
                    title: "durable POST, \(promise.connections) connection\(promise.connections == 1 ? "" : "s")",
                    ours: ours.summary, peer: "Redis `appendfsync always`: \(peer.summary)",
                    ratio: Text.fixed(ratio, digits: 2), promise: "≥ \(promise.ratio) × Redis",
                    isKept: ratio >= promise.ratio))
        }
    }
}
