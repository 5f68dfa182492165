/// How a subscription comes back when its connection is gone.
public struct Reconnect: Hashable, Sendable {
    /// The longest wait before the first attempt; it doubles with each one that fails.
    public var firstDelay: Duration
    public var greatestDelay: Duration
    /// How many attempts in a row may fail before the subscription throws; nil: it never gives up.
    public var attempts: Int?

    public init(
        firstDelay: Duration = .milliseconds(100), greatestDelay: Duration = .seconds(5), attempts: Int? = nil
    ) {
        self.firstDelay = firstDelay
        self.greatestDelay = greatestDelay
        self.attempts = attempts
    }

    /// The first failure ends the subscription.
    public static let never = Reconnect(attempts: 0)
}

/// The waits between attempts: each twice as long as the last, and anything from half of that to the whole, so that clients do
/// not come back all at once.
package struct Backoff: Sendable {
    private let policy: Reconnect
    private var delay: Duration
    package private(set) var failures = 0

    package init(_ policy: Reconnect = Reconnect()) {
        self.policy = policy
        delay = policy.firstDelay
    }

    package mutating func next() -> Duration {
        defer { delay = min(delay * 2, policy.greatestDelay) }
        failures += 1
        return delay * Double.random(in: 0.5...1)
    }
}
