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

    let held: @Sendable () -> Held

    func add<Context: RequestContext>(to router: Router<Context>) {
        router.get("/_gimbal/status") { _, _ in try jsonResponse(status()) }
        router.get("/_gimbal/export") { request, _ in try export(request) }
    }

    struct Status: Encodable {
        var role: String
        var space: String?
        var author: String?
        var ready: Bool
        /// Where the log ends here.
        var epoch: String?
        var position: UInt64?
        var logRoot: String?
        var stateDigest: String?
        var patterns: [String]?
        var members: Int?
        /// Operations of this node that are not known to be in the log.
        var outbox: UInt64?
        var deadLetters: Int?
        var fault: Fault?
        var storage: [String: UInt64]?

        struct Fault: Encodable {
            var code: String
            var detail: String

            init?(_ fault: NodeFault?) {
                guard let fault else { return nil }
                (code, detail) = (fault.code, fault.detail)
            }
        }
    }

    private func status() throws -> Status {
        switch held() {
        case .none(let fault): return Status(role: "node", ready: false, fault: Status.Fault(fault))
        case .pivot(let pivot):
            var status = Status(role: "pivot", ready: true)
            describe(pivot.space, pivot.author, pivot.records, pivot.place, pivot.latestCheckpoint, &status)
            status.storage = pivot.statistics
            return status
        case .node(let node):
            var status = Status(role: "node", ready: node.isReady)
            describe(node.space, node.author, node.records, node.cursor, node.checkpoint, &status)
            status.outbox = node.outboxCount
            status.deadLetters = try node.deadLetters().count
            status.fault = Status.Fault(node.fault)
            status.storage = node.statistics
            return status
        }
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
    private func export(_ request: Request) throws -> Response {
        let patterns = request.uri.queryParameters.getAll("pattern").map { text in Pattern(String(text)) }
        guard !patterns.contains(nil) else { return refusal(.badRequest, "bad-pattern", "a pattern such as things/* expected") }
        guard let export = try makeExport() else { return refusal(.serviceUnavailable, "not-ready", "nothing to export yet") }
        let wanted = patterns.isEmpty ? [Pattern.everything] : patterns.compactMap { $0 }
        return Response(
            status: .ok, headers: [.contentType: "application/vnd.gimbal.bundle"],
            body: ResponseBody { writer in
                try await BundleStream.write(export, wanted) { try await writer.write(ByteBuffer(bytes: $0)) }
                try await writer.finish(nil)
            })
    }

    private func makeExport() throws -> SpaceExport? {
        switch held() {
        case .none: return nil
        case .pivot(let pivot): return try pivot.export()
        case .node(let node): return try node.export()
        }
    }
}
