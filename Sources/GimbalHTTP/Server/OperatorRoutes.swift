import Foundation
import GimbalCRDT
import GimbalReplication
import GimbalStore
import GimbalWire
import HTTPTypes
import Hummingbird
import NIOCore

/// What an operator asks a running server: how it stands, and bundles of what it holds.
struct OperatorRoutes: Sendable {
    enum Held: Sendable {
        case pivot(PivotSpace)
        case node(NodeSpace)
        /// A node that holds no space yet, and why if its pivot refuses it.
        case none(NodeFault?)
    }

    let spaces: ServedSpaces
    /// On whose disk bundles are put together.
    let folder: DataFolder

    func add<Context: RequestContext>(to router: Router<Context>) {
        router.get("/_gimbal/status") { request, _ in try status(request) }
        router.get("/_gimbal/export") { request, _ in try await export(request) }
    }

    /// How a process stands that holds several spaces.
    struct Overview: Encodable {
        var role = "several"
        var ready: Bool
        var spaces: [Status]
    }

    struct Status: Encodable {
        /// Of the space in this process; nil where it is the only one.
        var name: String?
        var role: String
        var space: String?
        var author: String?
        var ready: Bool
        /// This server's clock, Unix milliseconds.
        var wallMilliseconds = UInt64(max(0, Date().timeIntervalSince1970) * 1000)
        /// Where the log ends here.
        var epoch: String?
        var position: UInt64?
        var logRoot: String?
        var stateDigest: String?
        var patterns: [String]?
        var members: Int?
        /// Operations of this node that are not known to be in the log.
        var outbox: UInt64?
        /// The stamp of the first of them, nanoseconds.
        var outboxOldest: UInt64?
        var deadLetters: Int?
        var pivotURL: String?
        /// Where the pivot's log ended when it last answered, and how long ago that was.
        var pivotPosition: UInt64?
        var pivotSilentSeconds: Double?
        /// Whether the pivot's log comes as it grows.
        var following: Bool?
        /// The pivot's clock minus this node's.
        var pivotClockOffsetMilliseconds: Int64?
        var fault: Fault?
        var log: Log?
        var snapshot: Snapshot?
        var storage: [String: UInt64]?

        /// How much of the log is kept here, and for whom.
        struct Log: Encodable {
            /// Entries from here on are whole; below it the proofs of what lives are kept.
            var horizon: UInt64
            var entries: UInt64
            var bytes: UInt64
            /// Entries below the horizon that still prove something.
            var retained: UInt64
            /// Live nodes, the one that is furthest behind first.
            var holders: [Holder] = []
            /// Nodes that are being sent a snapshot.
            var snapshotReaders: Int?
            var failure: String?

            struct Holder: Encodable {
                var author: String
                var position: UInt64
            }
        }

        /// The last snapshot that this node took, or is taking.
        struct Snapshot: Encodable {
            /// `coming`, then `checking` its proofs, then `proven`, or `unproven` and why.
            var phase: String
            var entries: UInt64
            /// Of the last entry that is in, or of those whose signatures are checked.
            var position: UInt64
            var end: UInt64
            var detail: String?
        }

        struct Fault: Encodable {
            var code: String
            var detail: String

            init?(_ fault: NodeFault?) {
                guard let fault else { return nil }
                (code, detail) = (fault.code, fault.detail)
            }
        }
    }

    /// Of one space, or of all where there are several and none is named.
    private func status(_ request: Request) throws -> Response {
        guard let served = try spaces.named(in: request) ?? spaces.only else {
            let all = spaces.all.map { status($0) }
            return jsonResponse(Overview(ready: all.allSatisfy(\.ready), spaces: all))
        }
        return jsonResponse(status(served))
    }

    private func status(_ served: ServedSpace) -> Status {
        let standing = served.standing
        var status = Status(role: served.role, ready: standing.isReady)
        status.fault = Status.Fault(standing.fault)
        if spaces.only == nil { status.name = served.name }
        status.pivotURL = served.pivotURL
        switch served.held {
        case .none: break
        case .pivot(let pivot):
            let kept = pivot.retentionStatus
            status.log = Status.Log(
                horizon: kept.horizon, entries: kept.entries, bytes: kept.bytes, retained: kept.retained,
                holders: kept.holders.map { .init(author: $0.author.hex, position: $0.position) },
                snapshotReaders: kept.snapshotReaders, failure: kept.failure)
            describe(pivot.space, pivot.author, pivot.records, pivot.place, pivot.latestCheckpoint, &status)
            status.storage = pivot.statistics
        case .node(let node):
            let kept = node.retentionStatus
            status.log = Status.Log(
                horizon: kept.horizon, entries: kept.entries, bytes: kept.bytes, retained: kept.retained)
            status.snapshot = Status.Snapshot(node)
            describe(node.space, node.author, node.records, node.cursor, node.checkpoint, &status)
            status.outbox = node.outboxCount
            status.pivotPosition = node.pivotClock.pivotPosition
            status.pivotSilentSeconds = node.pivotClock.silentMilliseconds.map { Double($0) / 1000 }
            status.following = node.isFollowing
            status.pivotClockOffsetMilliseconds = node.pivotClock.offsetMilliseconds
            status.storage = node.statistics
            do throws(StoreError) {
                status.outboxOldest = try node.oldestPending()?.nanoseconds
                status.deadLetters = try node.deadLetters().count
            } catch {
                // The rest is worth knowing all the more.
                if status.fault == nil { status.fault = Status.Fault(.local(code: error.code, detail: "\(error)")) }
            }
        }
        return status
    }

    private func describe(
        _ space: SpaceID, _ author: AuthorID, _ records: SpaceRecords, _ place: Cursor, _ signed: SignedPayload?,
        _ status: inout Status
    ) {
        status.space = space.hex
        status.author = author.hex
        status.patterns = records.settings.patterns.map(\.description)
        status.members = records.members.count
        status.epoch = place.epoch.description
        status.position = place.position
        status.logRoot = place.logRoot.hex
        status.stateDigest = signed.flatMap { try? Checkpoint(decoding: $0.payload) }?.stateDigest.hex
    }

    /// A bundle of the paths that match `pattern` (may be given several times; none: everything).
    /// It is whole before the answer begins: what goes wrong with it is said by the status.
    private func export(_ request: Request) async throws -> Response {
        let patterns = request.uri.queryParameters.getAll("pattern").map { text in Pattern(String(text)) }
        guard !patterns.contains(nil) else { return refusal(.badRequest, "bad-pattern", "a pattern such as things/* expected") }
        let wanted = patterns.isEmpty ? [Pattern.everything] : patterns.compactMap { $0 }
        guard let export = try makeExport(try space(for: wanted, request)) else {
            return refusal(.serviceUnavailable, "not-ready", "nothing to export yet")
        }
        // The reader's speed concerns nobody else.
        let file = try TemporaryFile(in: folder)
        do {
            try await file.fill { sink in try export.write(wanted, to: sink) }
        } catch let error as any HTTPResponseError {
            throw error
        } catch {
            return refusal(.internalServerError, "export-failed", "\(error)")
        }
        return Response(
            status: .ok, headers: [.contentType: "application/vnd.gimbal.bundle"],
            body: ResponseBody { writer in
                let read = file.reader(of: 1 << 18)
                while let piece = try read() { try await writer.write(ByteBuffer(bytes: piece)) }
                try await writer.finish(nil)
            })
    }

    /// The space that is named, or the only one, or the one that all the patterns are in.
    private func space(for wanted: [Pattern], _ request: Request) throws -> ServedSpace {
        let holders = spaces.replicated.filter { space in
            wanted.allSatisfy { pattern in space.held.patterns.contains { $0.covers(pattern) } }
        }
        if try spaces.named(in: request) == nil, holders.count == 1, let holder = holders.first { return holder }
        return try spaces.select(request)
    }

    private func makeExport(_ served: ServedSpace) throws -> SpaceExport? {
        switch served.held {
        case .none: return nil
        case .pivot(let pivot): return try pivot.export()
        case .node(let node): return try node.export()
        }
    }
}

extension OperatorRoutes.Status.Snapshot {
    /// Nil for a node that never took one.
    init?(_ node: NodeSpace) {
        if let intake = node.intake {
            self.init(phase: "coming", entries: intake.entries, position: intake.position, end: intake.end)
        } else if let proofs = node.proofStatus {
            switch proofs.state {
            case .pending:
                self.init(phase: "checking", entries: proofs.entries, position: proofs.checked, end: proofs.entries)
            case .verified: self.init(phase: "proven", entries: proofs.entries, position: proofs.through, end: proofs.through)
            case .failed(let reason):
                self.init(
                    phase: "unproven", entries: proofs.entries, position: proofs.checked, end: proofs.entries, detail: reason)
            }
        } else {
            return nil
        }
    }
}
