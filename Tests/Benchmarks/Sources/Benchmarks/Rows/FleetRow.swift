import Foundation

/// Row 8: many nodes of one pivot on this machine, each a real process with the small profile, 2 % of them failing all the
/// time: some are killed and started again, some hang without reading what they follow.
struct FleetRow {
    private let sizes = [1, 10, 50, 200]
    private let failingShare = 0.02

    func measure(_ run: BenchmarkRun) throws {
        let pivot = try run.gimbal.pivot(data: try run.bench.makeFolder("fleet-pivot"), run: "fleet")
        defer { pivot.stop() }
        try run.load(pivot.port, count: run.settings.isQuick ? 1000 : 10_000)
        let probe = FleetProbe(pivot: pivot, writes: run.settings.isQuick ? 50 : 200)
        var nodes: [FleetNode] = []
        defer { for node in nodes { node.end() } }
        for size in run.settings.isQuick ? Array(sizes.prefix(2)) : sizes {
            let start = steadyNanoseconds()
            while nodes.count < size { nodes.append(try FleetNode(run, pivot, number: nodes.count)) }
            for node in nodes { try node.server.waitUntilReady(timeoutSeconds: 300) }
            let seconds = secondsSince(start)
            try probe.measure(run, nodes, failing: nil, "started in \(Text.fixed(seconds, digits: 1)) s")
        }
        let failing = FailingNodes(Array(nodes.suffix(max(2, Int(Double(nodes.count) * failingShare)))))
        let healthy = Array(nodes.dropLast(failing.nodes.count))
        try probe.measure(run, healthy, failing: failing, "beside \(failing.nodes.count) that fail")
        try probe.measureLoad(run, healthy, failing)
        try failing.mend()
        try probe.waitUntilConverged(nodes)
        run.report.add(note: "fleet: the \(failing.nodes.count) that had failed hold everything too")
    }
}

/// One node process that can be killed and started again on its folder.
final class FleetNode {
    private let run: BenchmarkRun
    private let pivotPort: UInt16
    private let number: Int
    private let data: String
    private var starts = 0
    private(set) var server: ListeningServer

    init(_ run: BenchmarkRun, _ pivot: ListeningServer, number: Int) throws {
        self.run = run
        self.number = number
        pivotPort = pivot.port
        data = try run.bench.makeFolder("fleet-node\(number)")
        server = try run.gimbal.smallNode(pivotPort: pivot.port, name: "fleet-\(number)", data: data)
    }

    func restart() throws {
        starts += 1
        server = try run.gimbal.smallNode(pivotPort: pivotPort, name: "fleet-\(number)-\(starts)", data: data)
    }

    func kill() { server.process.end(graceful: false) }
    func hang() { Glibc.kill(server.process.identifier, SIGSTOP) }
    func wake() { Glibc.kill(server.process.identifier, SIGCONT) }

    func end() {
        wake()
        kill()
    }
}

/// Nodes that fail: every second one hangs, the others are killed and started again whenever the measurement says so.
final class FailingNodes {
    let nodes: [FleetNode]
    private var isDown = false

    init(_ nodes: [FleetNode]) {
        self.nodes = nodes
        for node in hanging { node.hang() }
    }

    private var hanging: [FleetNode] { nodes.indices.filter { $0 % 2 == 0 }.map { nodes[$0] } }
    private var dying: [FleetNode] { nodes.indices.filter { $0 % 2 == 1 }.map { nodes[$0] } }

    func fail() throws {
        for node in dying { if isDown { try node.restart() } else { node.kill() } }
        isDown.toggle()
    }

    func mend() throws {
        if isDown { try fail() }
        for node in hanging { node.wake() }
    }
}

/// Writes at the pivot and looks at the nodes.
struct FleetProbe {
    let pivot: ListeningServer
    let writes: Int

    func measure(_ run: BenchmarkRun, _ nodes: [FleetNode], failing: FailingNodes?, _ remark: String) throws {
        let before = try ProcessFigures(pivot.process.identifier)
        let writing = try HTTPConnection(port: pivot.port)
        let readers = try nodes.map { try HTTPConnection(port: $0.server.port) }
        var random = SplitMix64(seed: 8)
        var values = ValueSource(seed: 8)
        var answered: [UInt64] = []
        var visible: [UInt64] = []
        var everywhere: [UInt64] = []
        for number in 0..<writes {
            if number % 20 == 10 { try failing?.fail() }
            let (path, value) = ("/" + Key.name(random.below(1000)), values.next())
            let start = steadyNanoseconds()
            guard try writing.post(path, json: value).status == 200 else { throw BenchmarkFailure("POST \(path) failed") }
            answered.append(steadyNanoseconds() - start)
            // One of them, then the others: the last figure is that of the slowest, and of asking them all.
            let first = random.below(readers.count)
            for offset in readers.indices {
                let reader = readers[(first + offset) % readers.count]
                try waitUntil("a node shows \(path)", timeoutSeconds: 60, pauseMilliseconds: 0) {
                    try reader.get(path, header: GimbalHeader.readLocal).bodyContains(Array(value.utf8))
                }
                if offset == 0 { visible.append(steadyNanoseconds() - start) }
            }
            everywhere.append(steadyNanoseconds() - start)
            sleepMilliseconds(5)
        }
        let after = try ProcessFigures(pivot.process.identifier)
        let (post, one, all) = (
            Latencies(nanoseconds: answered), Latencies(nanoseconds: visible), Latencies(nanoseconds: everywhere)
        )
        let cost = (after.processorSeconds - before.processorSeconds) / Double(writes) * 1000
        run.report.add(
            ReportRow(
                title: "fleet of \(nodes.count) nodes, \(remark)",
                ours: "POST at the pivot \(Text.percentiles(p50: post.p50, p99: post.p99)); visible at a node "
                    + "\(Text.percentiles(p50: one.p50, p99: one.p99)), at all \(Text.percentiles(p50: all.p50, p99: all.p99)); "
                    + "pivot \(Text.milliseconds(cost)) CPU a write, \(after.memory)"))
        try noteMemory(run, nodes)
    }

    /// Writes as fast as 32 connections do, and the time until every healthy node holds the last one.
    func measureLoad(_ run: BenchmarkRun, _ nodes: [FleetNode], _ failing: FailingNodes) throws {
        try failing.fail()
        let before = try ProcessFigures(pivot.process.identifier)
        let count = run.settings.isQuick ? 1000 : 2000
        let start = steadyNanoseconds()
        let plan = LoadPlan(port: pivot.port, connections: 32, request: .httpPost, keys: .uniform(below: 1000))
        let result = try LoadGenerator.run(plan, .requests(count))
        let written = secondsSince(start)
        try waitUntilConverged(nodes)
        let after = try ProcessFigures(pivot.process.identifier)
        run.report.add(
            ReportRow(
                title:
                    "\(Text.count(count)) writes at the pivot, 32 at once, with \(nodes.count) nodes and \(failing.nodes.count) that fail",
                ours:
                    "\(Text.rate(result.rate)), all \(nodes.count) have them \(Text.fixed(secondsSince(start) - written, digits: 2)) s later; "
                    + "pivot \(Text.fixed(after.processorSeconds - before.processorSeconds, digits: 2)) s CPU, \(after.memory)"))
    }

    func waitUntilConverged(_ nodes: [FleetNode]) throws {
        var values = ValueSource(seed: steadyNanoseconds())
        let marker = try Marker(path: "/" + Key.name(0), value: values.next(), at: pivot.port)
        for node in nodes { try marker.waitUntilVisible(at: node.server, timeoutSeconds: 300) }
    }

    private func noteMemory(_ run: BenchmarkRun, _ nodes: [FleetNode]) throws {
        let figures = try nodes.map { try ProcessFigures($0.server.process.identifier) }
        let own = median(figures.map { Double($0.residentAnonymousBytes) })
        let resident = median(figures.map { Double($0.residentBytes) })
        run.report.add(
            note: "memory of a small node among \(nodes.count): RssAnon \(Text.megabytes(Int(own))), "
                + "VmRSS \(Text.megabytes(Int(resident))) of which the program's pages are shared")
    }
}
