/// A space whose data a node writes while its pivot is away, so that the node's outbox is full when the pivot returns and
/// goes out in the largest deltas.
final class OfflineSpace {
    /// What the pivot's return cost.
    struct Ingest {
        let operations: Int
        let seconds: Double
        let pivotProcessorSeconds: Double
        let bytesFromNode: Int

        var rate: Double { Double(operations) / seconds }
    }

    /// The node has begun to push: more than it sends to greet a pivot, less than a delta of a hundred operations.
    private static let firstPushBytes = 16_384

    private(set) var pivot: ListeningServer
    let node: ListeningServer

    private let run: BenchmarkRun
    private let name: String
    private let relay: TCPRelay
    private let dataFolder: String
    private var starts = 1
    private var values = ValueSource(seed: 5)
    private(set) var lastMarker: Marker?

    init(_ run: BenchmarkRun, name: String) throws {
        self.run = run
        self.name = name
        relay = try TCPRelay()
        dataFolder = try run.bench.makeFolder("\(name)-pivot")
        pivot = try run.gimbal.pivot(data: dataFolder, run: "\(name)-1")
        relay.setTarget(pivot.port)
        node = try run.gimbal.node(pivotPort: relay.port, name: name)
        try node.waitUntilReady()
    }

    /// Writes the keys first ..< first + count at the node with the pivot away, then measures how long the pivot needs to
    /// take them all in. The time begins with the first bytes that the node pushes: how long a node waits before it tries
    /// a pivot again is another matter.
    func ingest(first: Int, count: Int) throws -> Ingest {
        relay.setTarget(nil)
        pivot.stop()
        try run.load(node.port, first: first, count: count)
        let marker = try Marker(path: "/things/last", value: values.next(), at: node.port)
        lastMarker = marker
        starts += 1
        pivot = try run.gimbal.pivot(data: dataFolder, run: "\(name)-\(starts)")
        let bytesBefore = relay.towardsTarget.bytes
        let before = try ProcessFigures(pivot.process.identifier)
        let returned = steadyNanoseconds()
        relay.setTarget(pivot.port)
        try waitUntil("the node pushes", timeoutSeconds: 120, pauseMilliseconds: 0.2) {
            relay.towardsTarget.bytes > bytesBefore + Self.firstPushBytes
        }
        let start = steadyNanoseconds()
        try marker.waitUntilVisible(at: pivot, timeoutSeconds: 600)
        let seconds = secondsSince(start)
        let after = try ProcessFigures(pivot.process.identifier)
        Text.progress(
            "  the node pushed \(Text.fixed(Double(start - returned) / 1e9, digits: 2)) s after the pivot's return; "
                + "ingest took \(Text.fixed(seconds, digits: 2)) s")
        return Ingest(
            operations: count, seconds: seconds,
            pivotProcessorSeconds: after.processorSeconds - before.processorSeconds,
            bytesFromNode: relay.towardsTarget.bytes - bytesBefore)
    }

    func stop() {
        node.stop()
        pivot.stop()
    }
}
