import GimbalWire

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

extension Backoff {
    package init(_ policy: Reconnect) {
        self.init(Range(first: policy.firstDelay, greatest: policy.greatestDelay))
    }

    package mutating func next() -> Duration {
        var random = SystemRandomNumberGenerator()
        return next(using: &random)
    }
}
