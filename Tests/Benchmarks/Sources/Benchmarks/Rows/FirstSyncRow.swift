/// Row 6: a new, empty node gets the whole space. It connects through a relay that counts every byte both ways.
struct FirstSyncRow {
    private struct Sync {
        let seconds: Double
        /// Until the wire is quiet: proofs may follow after the node serves.
        let bytes: Int
        let bytesWhenReady: Int
    }

    private let promisedSecondsPerMillion = 10.0
    private let promisedWireRatio = 1.15
    /// How much a node writes while the pivot is away.
    private let loadStep = 100_000

    func measure(_ run: BenchmarkRun) throws {
        let count = run.settings.syncKeys
        let space = try OfflineSpace(run, name: "sync")
        defer { space.stop() }
        for first in stride(from: 0, to: count, by: loadStep) {
            _ = try space.ingest(first: first, count: min(loadStep, count - first))
        }
        try run.checkAllKeys(space.pivot.port, count: count, request: .httpGet)
        space.node.stop()
        let syncs = try (1...run.settings.spaceRounds).map { try sync(run, space, count: count, round: $0) }
        add(syncs, count: count, to: run)
        try run.reportMemory(
            of: space.pivot, "memory of the pivot with \(Text.count(count)) keys, after that", keys: count)
    }

    private func sync(_ run: BenchmarkRun, _ space: OfflineSpace, count: Int, round: Int) throws -> Sync {
        guard let marker = space.lastMarker else { throw BenchmarkFailure("nothing was written") }
        let relay = try TCPRelay()
        relay.setTarget(space.pivot.port)
        let start = steadyNanoseconds()
        let node = try run.gimbal.node(pivotPort: relay.port, name: "new\(round)")
        defer { node.stop() }
        try node.waitUntilReady(timeoutSeconds: 600)
        try marker.waitUntilVisible(at: node, timeoutSeconds: 600)
        let seconds = secondsSince(start)
        let bytesWhenReady = relay.totalBytes
        try waitUntilQuiet(relay)
        let bytes = relay.totalBytes
        try run.checkAllKeys(node.port, count: count, request: .httpLocalGet)
        try run.checkSameAnswers(space.pivot.port, node.port, below: count)
        Text.progress(
            "  round \(round): \(Text.fixed(seconds, digits: 2)) s, \(Text.megabytes(bytesWhenReady)) when ready, "
                + "\(Text.megabytes(bytes)) in all")
        try run.noteMemory(of: node, keys: count)
        return Sync(seconds: seconds, bytes: bytes, bytesWhenReady: bytesWhenReady)
    }

    /// Quiet is less than 4 KiB in a second; the signs of life of an open stream are no data.
    private func waitUntilQuiet(_ relay: TCPRelay) throws {
        var before = -1
        try waitUntil("the wire is quiet", timeoutSeconds: 600, pauseMilliseconds: 1000) {
            let isQuiet = before >= 0 && relay.totalBytes - before < 4096
            before = relay.totalBytes
            return isQuiet
        }
    }

    private func add(_ syncs: [Sync], count: Int, to run: BenchmarkRun) {
        let seconds = median(syncs.map(\.seconds))
        let bytes = median(syncs.map { Double($0.bytes) })
        let bytesWhenReady = median(syncs.map { Double($0.bytesWhenReady) })
        let written = Double(count * (Key.length + ValueSource.length))
        let promisedSeconds = promisedSecondsPerMillion * Double(count) / 1e6
        run.report.add(
            ReportRow(
                title: "first sync of \(Text.count(count)) keys of 200 B", ours: "\(Text.fixed(seconds, digits: 2)) s",
                promise: "< \(Text.fixed(promisedSeconds, digits: 1)) s (10 s for 1,000,000)",
                isKept: seconds < promisedSeconds))
        run.report.add(
            ReportRow(
                title: "first sync, bytes both ways over the paths and values written (in large deltas)",
                ours: "\(Text.megabytes(Int(bytes))) (\(Text.megabytes(Int(bytesWhenReady))) when ready)",
                peer: "written: \(Text.megabytes(Int(written)))", ratio: Text.fixed(bytes / written, digits: 3),
                promise: "< \(promisedWireRatio)", isKept: bytes / written < promisedWireRatio))
    }
}
