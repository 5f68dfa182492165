import Configuration
import NIOCore

/// How long a client may keep its connection waiting before the server ends it. Subscriptions and nodes that follow the log
/// are left alone: both have signs of life of their own.
public struct ConnectionTimeouts: Sendable {
    /// From the opening to the first request.
    public var silent = TimeAmount.seconds(60)
    /// From the first bytes of a request to the end of its head.
    public var head = TimeAmount.seconds(10)
    /// For a value's whole body; for one that is read as it comes (a push, an import), the longest pause in it.
    public var body = TimeAmount.seconds(60)
    /// Between two requests. Longer than the pools of usual clients keep a connection (60 to 90 s), so that it is they who close.
    public var idle = TimeAmount.seconds(120)
    /// The longest pause of a client that takes its answer.
    public var write = TimeAmount.seconds(60)

    public init() {}

    /// From `timeouts` in the configuration, in seconds; 0 stands for no limit.
    init(_ settings: ConfigReader) {
        let settings = settings.scoped(to: "timeouts")
        func seconds(_ name: String, _ usual: TimeAmount) -> TimeAmount {
            let value = settings.double(forKey: ConfigKey(name)) ?? Double(usual.nanoseconds) / 1e9
            // Whatever is longer than a year is no limit.
            guard value > 0, value < 31_536_000 else { return .nanoseconds(.max) }
            return .nanoseconds(Int64(value * 1e9))
        }
        silent = seconds("silentSeconds", silent)
        head = seconds("headSeconds", head)
        body = seconds("bodySeconds", body)
        idle = seconds("idleSeconds", idle)
        write = seconds("writeSeconds", write)
    }

    /// How often a connection is looked at: what is over its time ends at most this much later.
    var interval: TimeAmount {
        let shortest = min(silent, head, body, idle, write)
        return .nanoseconds(min(max(shortest.nanoseconds / 2, 50_000_000), 5_000_000_000))
    }
}
