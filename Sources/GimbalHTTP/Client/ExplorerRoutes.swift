import Foundation
import GimbalCRDT
import GimbalReplication
import GimbalStore
import GimbalWire
import HTTPTypes
import Hummingbird
import NIOCore

/// `/`: the page, and with `?api=` what explorers of the ooo protocol ask.
struct ExplorerRoutes: Sendable {
    let options: ServerOptions
    let host: SpaceHost
    let hub: SubscriptionHub
    let spaces: ServedSpaces

    func add<Context: RequestContext>(to router: Router<Context>) {
        router.get("/") { request, _ in try answer(request) }
        PageFiles.add(to: router)
    }

    private func answer(_ request: Request) throws -> Response {
        switch request.uri.queryParameters["api"] {
        case "keys": try keys(request)
        case "info": Self.lines(info)
        case "filters": Self.lines(filters)
        case "state": Self.lines(state)
        case "pivot": Self.lines(try pivot(request))
        case "endpoints", "proxies", "orphan-keys": Self.lines([String]())
        default: PageFiles.page(request)
        }
    }

    /// JSON and a line end.
    private static func lines(_ value: some Encodable) -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        var body = (try? encoder.encode(value)) ?? Data("null".utf8)
        body.append(UInt8(ascii: "\n"))
        return Response(
            status: .ok, headers: [.contentType: "application/json"], body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
    }

    // MARK: Keys

    private struct Keys: Encodable {
        var keys: [String] = []
        var total = 0
        var page: Int
        var limit: Int
        var filter: String
    }

    private func keys(_ request: Request) throws -> Response {
        let query = request.uri.queryParameters
        let filter = query["filter"].map(String.init) ?? ""
        let page = max(1, query["page"].flatMap { Int($0) } ?? 1)
        let limit = min(500, max(1, query["limit"].flatMap { Int($0) } ?? 50))
        let glob = filter.contains("*") ? Pattern(filter) : nil
        guard glob != nil || !filter.contains("*") else {
            return refusal(.badRequest, "bad-pattern", "a prefix or a pattern such as things/* expected")
        }
        var keys = Keys(page: page, limit: limit, filter: filter)
        let (first, overflow) = (page - 1).multipliedReportingOverflow(by: limit)
        try host.scanKeys(glob ?? .everything) { path, _ in
            guard glob != nil || path.bytes.starts(with: filter.utf8) else { return }
            if !overflow, keys.total >= first, keys.keys.count < limit { keys.keys.append(path.description) }
            keys.total += 1
        }
        return Self.lines(keys)
    }

    // MARK: The server

    private struct Info: Encodable {
        var name: String
        var address: String
        /// Nanoseconds; 0 means none.
        var deadline: Int64 = 0
        var readTimeout: Int64
        var writeTimeout: Int64
        var readHeaderTimeout: Int64
        var idleTimeout: Int64
        var forcePatch = false
        var noPatch = false
        var `static` = false
        var silence = true
        var workers: Int
        var tick: Int64 = 1_000_000_000
    }

    private var info: Info {
        func shown(_ limit: TimeAmount) -> Int64 { limit.nanoseconds == .max ? 0 : limit.nanoseconds }
        let timeouts = options.timeouts
        return Info(
            name: "gimbal \(role)", address: "\(options.host):\(options.port)", readTimeout: shown(timeouts.body),
            writeTimeout: shown(timeouts.write), readHeaderTimeout: shown(timeouts.head), idleTimeout: shown(timeouts.idle),
            workers: ProcessInfo.processInfo.activeProcessorCount)
    }

    /// A process that leads a space is asked for its nodes, whatever else it follows.
    private var role: String { spaces.replicated.contains { $0.plan?.leading != nil } ? "pivot" : "node" }

    private struct Filters: Encodable {
        struct Filter: Encodable {
            var path: String
            var type = "open"
            var canRead = true
            var canWrite = true
            var canDelete = true
            var isGlob: Bool
        }

        var paths: [String]
        var filters: [Filter]
    }

    private var patterns: [Pattern] { host.replicated.flatMap(\.store.records.settings.patterns) }

    private var filters: Filters {
        Filters(
            paths: patterns.map(\.description),
            filters: patterns.map { Filters.Filter(path: $0.description, isGlob: $0.isGlob) })
    }

    private struct State: Encodable {
        struct Pool: Encodable {
            var key: String
            var connections: Int
        }

        var pools: [Pool]
        var totalConnections: Int
    }

    private var state: State {
        let pools = hub.connections.map { State.Pool(key: $0.name, connections: $0.connections) }
        return State(pools: pools, totalConnections: pools.reduce(0) { $0 + $1.connections })
    }

    // MARK: Its place in the fleet

    private struct PivotState: Encodable {
        var role: String
        var pivotIP: String
        var nodes: [PivotHealth.Entry]
        var syncedKeys: [String]
        var pivotHealthy: Bool
        var pivotProtocol: String?
        var pivotCompatible: Bool?
    }

    private func pivot(_ request: Request) throws -> PivotState {
        let chosen = try spaces.named(in: request).map { [$0] } ?? spaces.replicated
        let isHealthy = chosen.map(\.standing).allSatisfy { $0.isReady && $0.fault == nil }
        return PivotState(
            role: chosen.count == 1 ? chosen[0].role : role, pivotIP: chosen.compactMap(\.pivotURL).first ?? "",
            nodes: try spaces.nodes(request), syncedKeys: chosen.flatMap(\.held.patterns).map(\.description),
            pivotHealthy: isHealthy, pivotProtocol: isHealthy ? GimbalVersion.protocol : nil,
            pivotCompatible: isHealthy ? true : nil)
    }
}
