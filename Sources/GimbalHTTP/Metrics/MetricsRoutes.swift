import Hummingbird

/// What this process counts and times. It is one for the process, as its memory and its cores are.
enum ServerMetrics {
    static let registry = MetricsRegistry()
    static let requests = RequestMeter(registry)
}

/// `/metrics`, for Prometheus: what was counted, and how things stand at this moment.
struct MetricsRoutes: Sendable {
    let hub: SubscriptionHub
    let spaces: ServedSpaces
    let maxConnections: Int

    func add<Context: RequestContext>(to router: Router<Context>) {
        router.get("/metrics") { _, _ in
            Response(
                status: .ok, headers: [.contentType: MetricsPage.contentType],
                body: ResponseBody(byteBuffer: ByteBuffer(string: page.text)))
        }
        for method in [HTTPRequest.Method.post, .patch, .delete] {
            router.on("/metrics", method: method) { _, _ in
                refusal(.badRequest, "reserved-path", "ooo: key is not valid: the server's metrics are there")
            }
        }
    }

    private var page: MetricsPage {
        var page = MetricsPage()
        for name in MetricName.allCases { page.describe(name.rawValue, name.kind, name.help) }
        ServerMetrics.registry.write(to: &page)
        page.set(.connections, [:], Double(ServerMetrics.requests.connections))
        page.set(.connectionLimit, [:], Double(maxConnections))
        page.set(.subscriptions, [:], Double(hub.connections.reduce(0) { $0 + $1.connections }))
        ProcessFigures.write(to: &page)
        for space in spaces.all { SpaceFigures(name: space.name).write(space, to: &page) }
        return page
    }
}

extension MetricsPage {
    mutating func set(_ name: MetricName, _ labels: MetricLabels, _ value: Double) { add(name.rawValue, labels, value) }
}
