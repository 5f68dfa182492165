import Foundation

/// Row 9: one pivot and one node with very many keys: load, first sync, restart, a return after 1 % changed, a listing page by
/// page, and a glob delete of everything.
struct LargeRow {
    private let promisedReturnSeconds = 0.5
    private let promisedWireRatio = 1.15
    private let promisedKeys = 1_000_000

    func measure(_ run: BenchmarkRun) throws {
        let count = run.settings.syncKeys
        let data = try run.bench.makeFolder("large-pivot")
        var pivot = try run.gimbal.pivot(data: data, run: "large")
        defer { pivot.stop() }
        let begin = steadyNanoseconds()
        try run.load(pivot.port, count: count)
        add(
            run, "single writes by \(BenchmarkRun.writersWhenLoading) connections until \(Text.count(count)) keys are there",
            "\(Text.fixed(secondsSince(begin), digits: 1)) s")
        try run.noteMemory(of: pivot, keys: count)

        let relay = try TCPRelay()
        let nodeData = try run.bench.makeFolder("large-node")
        relay.setTarget(pivot.port)
        try firstSync(run, pivot, relay, nodeData, count)
        pivot = try restart(run, pivot, data, count)
        relay.setTarget(pivot.port)
        try memory(run, pivot, count)
        let node = try returnAfterChanges(run, pivot, relay, nodeData, count)
        defer { node.stop() }
        try list(run, pivot, count)
        try deleteAll(run, pivot, node, count)
    }

    private func add(_ run: BenchmarkRun, _ title: String, _ ours: String) {
        run.report.add(ReportRow(title: title, ours: ours))
    }

    /// Of what was written one by one: the log has a delta for each commit.
    private func firstSync(
        _ run: BenchmarkRun, _ pivot: ListeningServer, _ relay: TCPRelay, _ data: String, _ count: Int
    ) throws {
        let marker = try Marker(path: "/things/last", value: #""synchronised""#, at: pivot.port)
        let start = steadyNanoseconds()
        let node = try run.gimbal.node(pivotPort: relay.port, name: "large", data: data)
        defer { node.stop() }
        try marker.waitUntilVisible(at: node, timeoutSeconds: 900)
        add(
            run, "first sync of \(Text.count(count)) keys that were written one by one",
            "\(Text.fixed(secondsSince(start), digits: 2)) s, \(Text.megabytes(relay.totalBytes)) on the wire")
        try run.checkSameAnswers(pivot.port, node.port, below: count)
        try run.noteMemory(of: node, keys: count)
        try run.noteMemory(of: pivot, keys: count)
    }

    private func restart(_ run: BenchmarkRun, _ old: ListeningServer, _ data: String, _ count: Int) throws -> ListeningServer {
        old.stop()
        let start = steadyNanoseconds()
        let pivot = try run.gimbal.pivot(data: data, run: "large-again")
        add(
            run, "restart of a pivot with \(Text.count(count)) keys, until it serves",
            "\(Text.fixed(secondsSince(start) * 1000, digits: 0)) ms")
        return pivot
    }

    /// After two seconds of reads and two of writes, uniform over all keys.
    private func memory(_ run: BenchmarkRun, _ pivot: ListeningServer, _ count: Int) throws {
        for request in [RequestTemplate.httpGet, .httpPost] {
            let plan = LoadPlan(port: pivot.port, connections: 32, request: request, keys: .uniform(below: count))
            _ = try LoadGenerator.run(plan, .time(warmUpSeconds: 0, seconds: 2))
        }
        try run.reportMemory(
            of: pivot, "memory of a restarted pivot with \(Text.count(count)) keys after reads and writes of random ones",
            keys: count)
    }

    private func returnAfterChanges(
        _ run: BenchmarkRun, _ pivot: ListeningServer, _ relay: TCPRelay, _ data: String, _ count: Int
    ) throws -> ListeningServer {
        // The node takes what the reads and writes before changed, so that only what comes now is counted.
        let before = try Marker(path: "/things/last", value: #""before""#, at: pivot.port)
        var node = try run.gimbal.node(pivotPort: relay.port, name: "large-2", data: data)
        try before.waitUntilVisible(at: node, timeoutSeconds: 900)
        var times: [Double] = []
        var shares: [Double] = []
        for round in 0..<run.settings.spaceRounds {
            node.stop()
            let changed = max(count / 100, 1)
            try run.load(pivot.port, first: round * changed, count: changed)
            let marker = try Marker(path: "/things/last", value: #""return \#(round)""#, at: pivot.port)
            let bytes = relay.totalBytes
            node = try run.gimbal.node(pivotPort: relay.port, name: "large-return-\(round)", data: data)
            // From its first line of output on: how long a process takes to start is told by the restart.
            let start = steadyNanoseconds()
            try marker.waitUntilVisible(at: node, timeoutSeconds: 120)
            times.append(secondsSince(start))
            shares.append(Double(relay.totalBytes - bytes) / Double(changed * (Key.length + ValueSource.length)))
        }
        let (time, share) = (median(times), median(shares))
        run.report.add(
            ReportRow(
                title: "return of a node after 1 % of \(Text.count(count)) keys changed",
                ours: "\(Text.fixed(time, digits: 2)) s",
                promise: "< 0.5 s with 1,000,000 keys", isKept: count < promisedKeys ? nil : time < promisedReturnSeconds))
        run.report.add(
            ReportRow(
                title: "return, bytes both ways over the paths and values that changed, written one by one",
                ours: "", ratio: Text.fixed(share, digits: 3), promise: "< \(promisedWireRatio)",
                isKept: share < promisedWireRatio))
        return node
    }

    private func list(_ run: BenchmarkRun, _ pivot: ListeningServer, _ count: Int) throws {
        let connection = try HTTPConnection(port: pivot.port, timeoutSeconds: 600)
        var latencies: [UInt64] = []
        var cursor = ""
        let pages = min(20, count / 1000)
        for _ in 0..<max(pages, 1) {
            let start = steadyNanoseconds()
            let answer = try connection.get("/things/*?limit=1000" + (cursor.isEmpty ? "" : "&cursor=\(cursor)"))
            latencies.append(steadyNanoseconds() - start)
            guard answer.status == 200 else { throw BenchmarkFailure("a listing: \(answer.status) \(answer.text)") }
            guard let next = answer.header("Gimbal-Cursor") else { break }
            cursor = next
        }
        let page = Latencies(nanoseconds: latencies)
        add(
            run, "a page of 1,000 of a collection of \(Text.count(count)), newest first",
            Text.percentiles(p50: page.p50, p99: page.p99))
        try run.noteMemory(of: pivot, keys: count)
    }

    private func deleteAll(_ run: BenchmarkRun, _ pivot: ListeningServer, _ node: ListeningServer, _ count: Int) throws {
        let connection = try HTTPConnection(port: pivot.port, timeoutSeconds: 1200)
        let start = steadyNanoseconds()
        let answer = try connection.delete("/things/*")
        guard answer.status == 204 else { throw BenchmarkFailure("a glob delete: \(answer.status) \(answer.text)") }
        let deleted = secondsSince(start)
        let marker = try Marker(path: "/things/last", value: #""after""#, at: pivot.port)
        try marker.waitUntilVisible(at: node, timeoutSeconds: 600)
        add(
            run, "DELETE things/* of \(Text.count(count))",
            "\(Text.fixed(deleted, digits: 1)) s, \(Text.fixed(secondsSince(start) - deleted, digits: 1)) s more until a node shows it"
        )
        let rest = try HTTPConnection(port: node.port).get("/things/*", header: GimbalHeader.readLocal)
        guard rest.status == 200, rest.text.contains("after"), rest.body.count < 1000 else {
            throw BenchmarkFailure("deleted keys are still there: \(rest.text.prefix(200))")
        }
        try run.noteMemory(of: pivot, keys: 1)
    }
}
