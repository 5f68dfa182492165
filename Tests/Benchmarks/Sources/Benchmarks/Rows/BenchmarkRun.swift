/// How much is measured, and how often.
struct RunSettings {
    var keys: Int
    var syncKeys: Int
    var isQuick: Bool
    var isFull: Bool
    var rounds: Int
    var secondsPerRound: Double
    var peerLoops: Int

    /// Rows that build a whole space anew for each figure are repeated less often.
    var spaceRounds: Int { min(rounds, isQuick ? 1 : 3) }

    /// The sizes at which latencies must be alike.
    var latencySizes: [Int] { [1000, keys] + (isFull ? [1_000_000] : []) }

    var contest: Contest { Contest(rounds: rounds, secondsPerRound: secondsPerRound) }
}

/// What the rows share: the settings, the servers to start, and the report that grows.
final class BenchmarkRun {
    static let writersWhenLoading = 64

    let settings: RunSettings
    let bench: Workbench
    let gimbal: GimbalServers
    let peers: PeerServers
    var report = Report()
    private var sharedPivot: ListeningServer?

    init(settings: RunSettings, bench: Workbench, binaries: String) {
        self.settings = settings
        self.bench = bench
        gimbal = GimbalServers(bench: bench, binaries: binaries)
        peers = PeerServers(bench: bench)
    }

    /// A pivot without nodes that holds the keys; the rows on single requests share it.
    func loadedPivot() throws -> ListeningServer {
        if let sharedPivot { return sharedPivot }
        let pivot = try gimbal.pivot(data: try bench.makeFolder("pivot"), run: "alone")
        try load(pivot.port, count: settings.keys)
        try checkAllKeys(pivot.port, count: settings.keys, request: .httpGet)
        sharedPivot = pivot
        return pivot
    }

    /// Before a row with servers of its own, so that nothing else runs beside them.
    func stopLoadedPivot() throws {
        guard let sharedPivot else { return }
        self.sharedPivot = nil
        try noteMemory(of: sharedPivot, keys: settings.keys)
        sharedPivot.stop()
    }

    /// Writes the keys first ..< first + count, each once.
    func load(_ port: UInt16, first: Int = 0, count: Int, request: RequestTemplate = .httpPost) throws {
        let plan = LoadPlan(
            port: port, connections: Self.writersWhenLoading, request: request, keys: .ascending(from: first))
        let result = try LoadGenerator.run(plan, .requests(count))
        Text.progress("  loaded \(Text.count(count)) keys at \(Text.rate(result.rate))")
    }

    /// Reads the keys 0 ..< count, each once; a key that is not there fails the run.
    func checkAllKeys(_ port: UInt16, count: Int, request: RequestTemplate) throws {
        let plan = LoadPlan(port: port, connections: 32, request: request, keys: .ascending(from: 0))
        _ = try LoadGenerator.run(plan, .requests(count))
    }

    /// Fails unless both servers answer a sample of the keys with the same bytes.
    func checkSameAnswers(_ one: UInt16, _ other: UInt16, below count: Int) throws {
        let (first, second) = (try HTTPConnection(port: one), try HTTPConnection(port: other))
        var random = SplitMix64(seed: UInt64(count))
        for _ in 0..<min(1000, count) {
            let path = "/" + Key.name(random.below(count))
            let expected = try first.get(path, header: GimbalHeader.readLocal)
            let answer = try second.get(path, header: GimbalHeader.readLocal)
            guard expected.status == 200, answer.status == 200, expected.body == answer.body else {
                throw BenchmarkFailure("two replicas differ at \(path): \(expected.text) and \(answer.text)")
            }
        }
    }

    /// A row with what is promised of a pivot's memory.
    func reportMemory(of pivot: ListeningServer, _ title: String, keys: Int) throws {
        let figures = try ProcessFigures(pivot.process.identifier)
        report.add(
            ReportRow(
                title: title, ours: figures.memory, promise: "VmRSS < 150 MB with 1,000,000 keys",
                isKept: keys < 1_000_000 ? nil : figures.residentBytes < 150_000_000))
    }

    func noteMemory(of server: ListeningServer, keys: Int) throws {
        let figures = try ProcessFigures(server.process.identifier)
        report.add(note: "memory of \(server.name) with \(Text.count(keys)) keys: \(figures.memory)")
    }
}
