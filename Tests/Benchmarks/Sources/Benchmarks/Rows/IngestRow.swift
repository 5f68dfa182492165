/// Row 5: how fast a pivot verifies, merges and stores full deltas. A node sends them on the same cores, and that is in the
/// figure: the promise is to be met by both together.
struct IngestRow {
    private let promisedRate = 100_000.0

    func measure(_ run: BenchmarkRun) throws {
        let count = run.settings.keys
        var ingests: [OfflineSpace.Ingest] = []
        for round in 1...run.settings.spaceRounds {
            let space = try OfflineSpace(run, name: "ingest\(round)")
            defer { space.stop() }
            let ingest = try space.ingest(first: 0, count: count)
            try run.checkAllKeys(space.pivot.port, count: count, request: .httpGet)
            try run.checkSameAnswers(space.pivot.port, space.node.port, below: count)
            ingests.append(ingest)
            Text.progress(
                "  round \(round): \(Text.rate(ingest.rate)), \(ingest.bytesFromNode / count) bytes an operation")
            if round == run.settings.spaceRounds { try run.noteMemory(of: space.pivot, keys: count) }
        }
        let rate = median(ingests.map(\.rate))
        let microseconds = median(ingests.map { $0.pivotProcessorSeconds * 1e6 / Double($0.operations) })
        run.report.add(
            ReportRow(
                title: "pivot ingest of full deltas, \(Text.count(count)) operations, the node's sending included",
                ours: "\(Text.rate(rate)), \(Text.fixed(microseconds, digits: 1)) µs of the pivot's processor time each",
                promise: "≥ 100,000/s", isKept: rate >= promisedRate))
    }
}
