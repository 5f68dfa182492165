/// How fresh a read of a synced path has to be (the request header `Gimbal-Read`).
public enum ReadPreference: String, Sendable {
    /// Ask the pivot first; past the deadline answer from the own copy and say so.
    case fresh
    /// The own copy, at once.
    case local
    /// The pivot's state or nothing.
    case latest
}

/// How fresh an answer is (the answer's header `Gimbal-Freshness`).
public enum Freshness: String, Sendable {
    case pivot
    case local
}
