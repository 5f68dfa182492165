import Foundation
import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalStore
import GimbalWire
import HTTPTypes
import Hummingbird
import NIOCore
import Synchronization

/// Takes bundles of a space that this process leads: their deltas come into the log as if their authors had sent them, and
/// nothing is applied beside it.
struct ImportRoutes: Sendable {
    let spaces: ServedSpaces
    /// On whose disk bundles are checked.
    let folder: DataFolder

    func add<Context: RequestContext>(to router: Router<Context>) {
        router.post("/_gimbal/import") { request, _ in try await take(request) }
    }

    private func take(_ request: Request) async throws -> Response {
        let led = spaces.led
        guard !led.isEmpty else { return notThePivot }
        let file = try TemporaryFile(in: folder)
        for try await part in request.body { try file.append(part.readableBytesView) }
        let beginning = try file.reader(of: ForeignFile.telling)() ?? []
        if let foreign = ForeignFile(beginning: Data(beginning)) {
            return refusal(.badRequest, ForeignFile.code, foreign.sentence)
        }
        // A bundle says which space it is of; of another than the one that is meant it is refused.
        let meant = try spaces.named(in: request)?.id ?? (led.count == 1 ? led[0].pivot.space : nil)
        let report = try await BundleImport.verify(file, space: meant)
        guard report.isValid else {
            let first = report.findings.first { $0.severity == .error }
            return refusal(
                .badRequest, first?.code ?? "not-valid",
                first.map { "at byte \($0.offset): \($0.sentence)" } ?? "the bundle does not hold")
        }
        guard let pivot = led.first(where: { $0.pivot.space == report.space })?.pivot else { return notThePivot }
        return jsonResponse(try await BundleImport(pivot: pivot).run(file))
    }

    private var notThePivot: Response {
        let pivotURL = spaces.only?.pivotURL
        var response = refusal(.conflict, "not-the-pivot", "bundles go to the pivot of the space: \(pivotURL ?? "")")
        response.headers[.location] = pivotURL.map { $0 + "/_gimbal/import" }
        return response
    }
}

/// Feeds a verified bundle's whole deltas to a pivot.
struct BundleImport {
    struct Outcome: Encodable {
        /// Deltas that came into the log now.
        var accepted = 0
        var alreadyThere = 0
        /// Pruned, or their replica's earlier deltas are in neither the bundle nor the log: only their author can send them.
        var incomplete = 0
        /// What the pivot said to the others.
        var refused: [String: Int] = [:]
    }

    private static let batchCount = 256
    private static let batchBytes = 4 << 20

    let pivot: PivotSpace
    private var outcome = Outcome()
    private var batch: [IncomingDelta] = []
    private var bytes = 0

    init(pivot: PivotSpace) { self.pivot = pivot }

    @concurrent
    static func verify(_ file: TemporaryFile, space: SpaceID?) async throws -> BundleReport {
        BundleVerifier.verify(expectedSpace: space, read: file.reader())
    }

    /// The file is verified again while it is read again: what is imported is what was proven.
    consuming func run(_ file: TemporaryFile) async throws -> Outcome {
        let (deltas, sink) = AsyncStream.makeStream(of: VerifiedDelta.self)
        // Deltas wait in memory only as far as the reader is ahead of the log.
        let permits = DispatchSemaphore(value: Self.batchCount * 4)
        let space = pivot.space
        let reader = Thread {
            _ = BundleVerifier.verify(expectedSpace: space, read: file.reader()) { delta in
                permits.wait()
                sink.yield(delta)
            }
            sink.finish()
        }
        reader.start()
        for await delta in deltas {
            permits.signal()
            try await add(delta)
        }
        try await flush()
        return outcome
    }

    private mutating func add(_ delta: VerifiedDelta) async throws {
        guard delta.isWhole else {
            outcome.incomplete += 1
            return
        }
        let size = delta.sealed.bytes.count
        if let last = batch.last,
            last.header.replica != delta.header.replica || last.header.lastSequence + 1 != delta.header.firstSequence
                || batch.count >= Self.batchCount || bytes + size > Self.batchBytes
        {
            try await flush()
        }
        batch.append(IncomingDelta(delta))
        bytes += size
    }

    private mutating func flush() async throws {
        let known = try batch.first.map { try pivot.head(of: $0.header.replica) } ?? .none
        let rest = batch.drop { $0.header.lastSequence <= known.sequence }
        outcome.alreadyThere += batch.count - rest.count
        (batch, bytes) = ([], 0)
        guard let first = rest.first else { return }
        guard first.header.firstSequence == known.sequence + 1 else {
            outcome.incomplete += rest.count
            return
        }
        switch await push(Array(rest)) {
        case .failure(let failure): outcome.refused[failure.rawValue, default: 0] += rest.count
        case .success(let result) where result.verdict == .accepted: outcome.accepted += rest.count
        case .success(let result) where result.verdict == .dependency: outcome.incomplete += rest.count
        case .success(let result): outcome.refused[result.verdict.rawValue, default: 0] += rest.count
        }
    }

    private func push(_ deltas: [IncomingDelta]) async -> Result<PushOutcome, WriteFailure> {
        await withCheckedContinuation { continuation in
            pivot.push(pivot.place, deltas, isFromBundle: true) { continuation.resume(returning: $0) }
        }
    }
}
