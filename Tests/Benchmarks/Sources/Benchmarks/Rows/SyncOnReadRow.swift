/// Row 3: before a node answers it asks the pivot whether anything changed. Nothing has, so the answer must cost one small
/// round trip however many keys there are.
struct SyncOnReadRow {
    private let promisedMilliseconds = 1.0

    func measure(_ run: BenchmarkRun) throws {
        let pivot = try run.gimbal.pivot(data: try run.bench.makeFolder("read-pivot"), run: "read")
        defer { pivot.stop() }
        let node = try run.gimbal.node(pivotPort: pivot.port, name: "read")
        defer { node.stop() }
        try node.waitUntilReady()
        var values = ValueSource(seed: 3)
        var loaded = 0
        for size in run.settings.latencySizes where size > loaded {
            try run.load(pivot.port, first: loaded, count: size - loaded)
            loaded = size
            let marker = try Marker(path: "/" + Key.name(size - 1), value: values.next(), at: pivot.port)
            try marker.waitUntilVisible(at: node)
            try measure(run, node, keys: size, body: try marker.answer(at: node).text)
        }
    }

    private func measure(_ run: BenchmarkRun, _ node: ListeningServer, keys: Int, body: String) throws {
        let bare = try run.peers.nio(body: body, loops: 1, name: "read-\(keys)")
        defer { bare.process.end(graceful: false) }
        var plan = LoadPlan(port: bare.port, connections: 1, request: .httpGet, keys: .uniform(below: keys))
        let peer = Contender(name: "bare SwiftNIO", processIdentifier: bare.process.identifier, plan: plan)
        plan.port = node.port
        plan.expectedHeaderLine = GimbalHeader.freshFromPivot
        let ours = Contender(name: "node GET", processIdentifier: node.process.identifier, plan: plan)
        let results = try run.settings.contest.run([peer, ours])
        run.report.add(
            ReportRow(
                title: "node read with sync-on-read, nothing changed, \(Text.count(keys)) keys",
                ours: results[1].latencySummary, peer: "one bare SwiftNIO round trip: \(results[0].latencySummary)",
                ratio: Text.fixed(results[1].ratio(to: results[0], of: \.latencies.p50), digits: 2),
                promise: "p50 < 1 ms, alike at every size",
                isKept: results[1].p50 < promisedMilliseconds))
    }
}
