import CoreMetrics
import NIOCore
import NIOHTTP1
import Synchronization

/// Counts and times requests, all of them on every path. A request costs it some tens of nanoseconds: what a single key's is
/// counted in is found by number, and no two event loops share its cache lines.
final class RequestMeter: Sendable {
    /// What a request is about; never the key itself, of which there are too many.
    enum Route: String, CaseIterable {
        case key, list, subscription, page, health, operators, metrics, certificate, join, push, place, log, snapshot, other

        /// Of a request that Hummingbird answers.
        init(_ uri: String) {
            let path = uri.prefix { $0 != "?" }
            let parts = path.split(separator: "/", omittingEmptySubsequences: true)
            switch parts.first {
            case nil: self = .page
            case "_health": self = .health
            case "_gimbal": self = .operators
            case "metrics" where parts.count == 1: self = .metrics
            case "_pivot": self = parts.count > 4 ? Route(rawValue: String(parts[4])).flatMap(\.replicated) ?? .other : .other
            default: self = path.contains("*") ? .list : .key
            }
        }

        private var replicated: Route? {
            switch self {
            case .certificate, .join, .push, .place, .log, .snapshot: self
            default: nil
            }
        }

        /// Answers that last as long as their reader wants are not timed.
        var isTimed: Bool { self != .log && self != .subscription && self != .snapshot }
    }

    /// One that is under way.
    struct Request {
        var route: Route
        /// Its number in `methods`.
        let method: Int
        let started: NIODeadline
        var status = 0

        init(_ route: Route, _ method: HTTPMethod, started: NIODeadline) {
            self.route = route
            self.method = RequestMeter.number(method)
            self.started = started
        }
    }

    private static let methods = ["GET", "HEAD", "POST", "PATCH", "DELETE", "other"]
    private static let statuses = [200, 204, 400, 401, 403, 404, 405, 408, 409, 410, 413, 421, 500, 501, 503, 507, 101, 426, 0]

    private struct Place: Hashable {
        var route: Route
        var method: Int
    }

    private struct Meters {
        /// By status.
        let counters: [Counter]
        let timer: CoreMetrics.Timer
    }

    private let factory: any MetricsFactory
    /// Of single keys, by method: the busiest are found without a lock.
    private let ofKeys: [Meters]
    /// Of the others, by route and method.
    private let others = Mutex<[Place: Meters]>([:])
    private let connectionCount = Atomic<Int>(0)

    init(_ factory: any MetricsFactory) {
        self.factory = factory
        ofKeys = Self.methods.map { Self.meters(.key, $0, factory) }
    }

    private static func meters(_ route: Route, _ method: String, _ factory: any MetricsFactory) -> Meters {
        let dimensions = [("route", route.rawValue), ("method", method)]
        return Meters(
            counters: statuses.map { status in
                Counter(
                    label: MetricName.requests.rawValue,
                    dimensions: dimensions + [("code", status == 0 ? "other" : String(status))], factory: factory)
            },
            timer: CoreMetrics.Timer(label: MetricName.requestTime.rawValue, dimensions: dimensions, factory: factory))
    }

    func finished(_ request: Request, status: Int, at now: NIODeadline) {
        let meters = request.route == .key ? ofKeys[request.method] : otherMeters(request)
        meters.counters[Self.number(status)].increment()
        if request.route.isTimed { meters.timer.recordNanoseconds((now - request.started).nanoseconds) }
    }

    private func otherMeters(_ request: Request) -> Meters {
        let place = Place(route: request.route, method: request.method)
        return others.withLock { others in
            if let known = others[place] { return known }
            let made = Self.meters(request.route, Self.methods[request.method], factory)
            others[place] = made
            return made
        }
    }

    private static func number(_ method: HTTPMethod) -> Int {
        switch method {
        case .GET: 0
        case .HEAD: 1
        case .POST: 2
        case .PATCH: 3
        case .DELETE: 4
        default: 5
        }
    }

    private static func number(_ status: Int) -> Int {
        switch status {
        case 200: 0
        case 204: 1
        default: statuses.firstIndex(of: status) ?? statuses.count - 1
        }
    }

    // MARK: Connections

    var connections: Int { connectionCount.load(ordering: .relaxed) }

    func opened() { connectionCount.wrappingAdd(1, ordering: .relaxed) }
    func closed() { connectionCount.wrappingSubtract(1, ordering: .relaxed) }

    /// A connection was ended because its client kept it waiting.
    func timedOut(_ reason: String) {
        Counter(label: MetricName.timeouts.rawValue, dimensions: [("waiting", reason)], factory: factory).increment()
    }
}
