/// Row 2: GET of a key against the least that SwiftNIO can do, answering bytes that the pivot answered; nginx for scale.
struct ReadRow {
    private let promisedRatio = 0.85
    private let connections = 32

    func measure(_ run: BenchmarkRun) throws {
        let pivot = try run.loadedPivot()
        let body = try typicalBody(pivot.port, keys: run.settings.keys)
        let bare = try run.peers.nio(body: body, loops: run.settings.peerLoops, name: "get")
        defer { bare.process.end(graceful: false) }
        let nginx = try run.peers.nginx(body: body)
        defer { nginx.process.end(graceful: false) }

        let plan = LoadPlan(
            port: 0, connections: connections, request: .httpGet, keys: .uniform(below: run.settings.keys))
        func contender(_ name: String, _ process: ChildProcess, _ port: UInt16) -> Contender {
            var plan = plan
            plan.port = port
            return Contender(name: name, processIdentifier: process.identifier, plan: plan)
        }
        let results = try run.settings.contest.run([
            contender("bare SwiftNIO", bare.process, bare.port),
            contender("pivot GET", pivot.process, pivot.port),
            contender("nginx", nginx.process, nginx.port),
        ])
        let (peer, ours, scale) = (results[0], results[1], results[2])
        let title = "GET, \(connections) connections"
        let ratio = ours.ratio(to: peer, of: \.rate)
        run.report.add(
            ReportRow(
                title: title, ours: ours.summary,
                peer: "bare SwiftNIO, \(run.settings.peerLoops) loops, the same \(body.utf8.count) B: \(peer.summary)",
                ratio: Text.fixed(ratio, digits: 2), promise: "≥ \(promisedRatio) × bare SwiftNIO",
                isKept: ratio >= promisedRatio))
        run.report.add(
            ReportRow(
                title: "\(title), for scale", ours: ours.summary,
                peer: "nginx, 1 process, static file, the same body: \(scale.summary)",
                ratio: Text.fixed(ours.ratio(to: scale, of: \.rate), digits: 2)))
    }

    /// The pivot's answers differ in length by the stamps that they hold, so the peers get one of the length in the middle.
    private func typicalBody(_ port: UInt16, keys: Int) throws -> String {
        let connection = try HTTPConnection(port: port)
        var random = SplitMix64(seed: 1)
        let bodies = try (0..<101).map { _ in
            let answer = try connection.get("/" + Key.name(random.below(keys)))
            guard answer.status == 200 else { throw BenchmarkFailure("GET of a loaded key: \(answer.status) \(answer.text)") }
            return answer.text
        }
        return bodies.sorted { $0.utf8.count < $1.utf8.count }[bodies.count / 2]
    }
}
