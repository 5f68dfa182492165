/// The waits between attempts: each twice as long as the last, and anything from half of that to the whole, so that clients do
/// not come back all at once.
public struct Backoff: Hashable, Sendable {
    public struct Range: Hashable, Sendable {
        public var first: Duration
        public var greatest: Duration

        public init(first: Duration, greatest: Duration) {
            self.first = first
            self.greatest = greatest
        }
    }

    private let range: Range
    private var delay: Duration
    /// How many waits there were.
    public private(set) var failures = 0

    public init(_ range: Range) {
        self.range = range
        delay = range.first
    }

    public mutating func next(using random: inout some RandomNumberGenerator) -> Duration {
        defer { delay = min(delay * 2, range.greatest) }
        failures += 1
        return delay * Double.random(in: 0.5...1, using: &random)
    }
}
