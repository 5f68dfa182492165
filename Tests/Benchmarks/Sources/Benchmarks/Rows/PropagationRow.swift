/// Row 4: from the moment a client sends a write to one node until a second node shows it from its own copy.
struct PropagationRow {
    private let promisedMilliseconds = 2.0

    func measure(_ run: BenchmarkRun) throws {
        let pivot = try run.gimbal.pivot(data: try run.bench.makeFolder("visible-pivot"), run: "visible")
        defer { pivot.stop() }
        let writer = try run.gimbal.node(pivotPort: pivot.port, name: "visible-a")
        defer { writer.stop() }
        let reader = try run.gimbal.node(pivotPort: pivot.port, name: "visible-b")
        defer { reader.stop() }
        try writer.waitUntilReady()
        try reader.waitUntilReady()
        var values = ValueSource(seed: 4)
        var loaded = 0
        for size in run.settings.latencySizes.dropFirst() {
            guard size > loaded else { continue }
            try run.load(pivot.port, first: loaded, count: size - loaded)
            loaded = size
            let marker = try Marker(path: "/" + Key.name(size - 1), value: values.next(), at: pivot.port)
            try marker.waitUntilVisible(at: writer)
            try marker.waitUntilVisible(at: reader)
            try measure(run, from: writer, to: reader, keys: size, values: &values)
        }
    }

    private func measure(
        _ run: BenchmarkRun, from writer: ListeningServer, to reader: ListeningServer, keys: Int, values: inout ValueSource
    ) throws {
        let (writing, reading) = (try HTTPConnection(port: writer.port), try HTTPConnection(port: reader.port))
        var random = SplitMix64(seed: 4)
        var answered: [UInt64] = []
        var visible: [UInt64] = []
        for _ in 0..<(run.settings.isQuick ? 100 : 400) {
            let path = "/" + Key.name(random.below(keys))
            let value = values.next()
            let start = steadyNanoseconds()
            let answer = try writing.post(path, json: value)
            answered.append(steadyNanoseconds() - start)
            guard answer.status == 200 else { throw BenchmarkFailure("POST \(path): \(answer.status) \(answer.text)") }
            // No pause: the figure is rounded up to a whole local GET as it is.
            try waitUntil("\(reader.name) shows \(path)", timeoutSeconds: 20, pauseMilliseconds: 0) {
                try reading.get(path, header: GimbalHeader.readLocal).bodyContains(Array(value.utf8))
            }
            visible.append(steadyNanoseconds() - start)
            // Lets the receipt go home, so that every write meets quiet servers.
            sleepMilliseconds(3)
        }
        let (postLatencies, latencies) = (Latencies(nanoseconds: answered), Latencies(nanoseconds: visible))
        Text.progress("  the POST alone: \(Text.percentiles(p50: postLatencies.p50, p99: postLatencies.p99))")
        run.report.add(
            ReportRow(
                title: "node write → visible on a second node, \(Text.count(keys)) keys",
                ours: Text.percentiles(p50: latencies.p50, p99: latencies.p99), promise: "p50 < 2 ms",
                isKept: latencies.p50 < promisedMilliseconds))
    }
}
