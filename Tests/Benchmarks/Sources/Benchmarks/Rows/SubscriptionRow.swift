import Foundation

/// Row 7: subscriptions. The subscribers, the writer and the server share the cores.
struct SubscriptionRow {
    /// What the Go original delivered to 100 subscribers of one key on such a machine, not durable.
    private let originalRate = "the Go original, 100 subscribers: 88,000/s"

    func measure(_ run: BenchmarkRun) throws {
        let pivot = try run.gimbal.pivot(data: try run.bench.makeFolder("subscriptions"), run: "subscriptions")
        defer { pivot.stop() }
        let items = run.settings.isQuick ? 1000 : 10_000
        try run.load(pivot.port, count: items)
        try measureDeliveries(run, pivot, path: "/" + Key.name(0), subscribers: 1000, "on one key") { _ in 0 }
        try measureDeliveries(run, pivot, path: "/things/*", subscribers: 100, "on a list of \(Text.count(items))") {
            $0.below(items)
        }
        try measureIdle(run, pivot, count: run.settings.isQuick ? 1000 : 10_000)
    }

    private func measureDeliveries(
        _ run: BenchmarkRun, _ pivot: ListeningServer, path: String, subscribers: Int, _ title: String,
        _ nextKey: (inout SplitMix64) -> Int
    ) throws {
        let pool = try SubscriberPool(port: pivot.port, path: path, count: subscribers)
        let writer = try HTTPConnection(port: pivot.port)
        var random = SplitMix64(seed: 7)
        var values = ValueSource(seed: 7)
        var latencies: [UInt64] = []
        for _ in 0..<(run.settings.isQuick ? 20 : 100) {
            let goal = pool.frames + subscribers
            let start = steadyNanoseconds()
            let answer = try writer.post("/" + Key.name(nextKey(&random)), json: values.next())
            guard answer.status == 200 else { throw BenchmarkFailure("POST: \(answer.status) \(answer.text)") }
            try pool.receive(until: { $0.frames >= goal }, "a change") { _ in latencies.append(steadyNanoseconds() - start) }
            sleepMilliseconds(2)
        }
        let alone = Latencies(nanoseconds: latencies)
        let rate = try deliveryRate(run, pivot, pool, path)
        run.report.add(
            ReportRow(
                title: "\(Text.count(subscribers)) subscribers \(title)",
                ours: "one write after another: \(Text.percentiles(p50: alone.p50, p99: alone.p99)) until a subscriber has it; "
                    + "written as fast as it goes: \(Text.rate(rate)) messages", peer: originalRate))
    }

    /// Messages a second while writers write as fast as they can. Writes that wait together are one message.
    private func deliveryRate(
        _ run: BenchmarkRun, _ pivot: ListeningServer, _ pool: SubscriberPool, _ path: String
    ) throws -> Double {
        let seconds = run.settings.isQuick ? 1.0 : 4.0
        let keys: KeyOrder = path.hasSuffix("*") ? .uniform(below: run.settings.isQuick ? 1000 : 10_000) : .uniform(below: 1)
        let plan = LoadPlan(port: pivot.port, connections: 8, request: .httpPost, keys: keys)
        let load = Thread { _ = try? LoadGenerator.run(plan, .time(warmUpSeconds: 0, seconds: seconds + 0.5)) }
        let before = pool.frames
        let start = steadyNanoseconds()
        load.start()
        try pool.receive(until: { _ in secondsSince(start) > seconds }, "the load's end")
        let rate = Double(pool.frames - before) / secondsSince(start)
        // The load ends half a second later: nothing of it may reach what is measured next.
        try pool.receive(until: { _ in secondsSince(start) > seconds + 1.5 }, "quiet")
        return rate
    }

    private func measureIdle(_ run: BenchmarkRun, _ pivot: ListeningServer, count: Int) throws {
        let before = try ProcessFigures(pivot.process.identifier)
        let pool = try SubscriberPool(port: pivot.port, path: "/" + Key.name(1), count: count)
        sleepMilliseconds(500)
        let after = try ProcessFigures(pivot.process.identifier)
        let writer = try HTTPConnection(port: pivot.port)
        var latencies: [UInt64] = []
        for _ in 0..<200 {
            let start = steadyNanoseconds()
            guard try writer.get("/" + Key.name(2)).status == 200 else { throw BenchmarkFailure("GET beside subscribers") }
            latencies.append(steadyNanoseconds() - start)
        }
        let bytes = (after.residentBytes - before.residentBytes) / count
        withExtendedLifetime(pool) {
            run.report.add(
                ReportRow(
                    title: "\(Text.count(count)) idle subscribers",
                    ours: "\(Text.fixed(Double(bytes) / 1024, digits: 1)) KiB of memory each; "
                        + "a GET beside them \(Text.milliseconds(Latencies(nanoseconds: latencies).p50))"))
        }
    }
}
