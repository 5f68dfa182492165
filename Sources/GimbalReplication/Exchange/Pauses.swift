import GimbalWire

/// Every wait of a node for its pivot, in one place. Those that repeat grow while what they wait for fails, are scattered, so
/// that a fleet does not come back all at once, and begin anew after a success (`Backoff`).
public enum Pauses {
    /// Before the pivot is asked again that did not let this node follow, or whose stream ended.
    public static let following = Backoff.Range(first: .milliseconds(200), greatest: .seconds(5))
    /// Before a push is sent again that nobody answered.
    static let pushing = Backoff.Range(first: .milliseconds(500), greatest: .seconds(5))
    /// The same where something on the way answered, or a pivot that is in trouble.
    static let refused = Backoff.Range(first: .seconds(1), greatest: .seconds(60))
    /// The same where the pivot does not want it: its operator may have mended that.
    static let unwanted = Backoff.Range(first: .seconds(5), greatest: .seconds(30))
    /// Before the log's end is asked for again.
    static let asking = Backoff.Range(first: .seconds(1), greatest: .seconds(10))
    /// Before reads ask a pivot again that did not answer.
    static let away = Backoff.Range(first: .milliseconds(500), greatest: .seconds(5))
    /// How often a node that nobody reads asks where its pivot is and what its clock says, for people to see.
    static let watch = Duration.seconds(10)
    /// While the own storage fails, until it is looked at again.
    static let storage = Duration.milliseconds(200)
    /// Between triggers that count.
    static let trigger = Duration.seconds(1)
    /// How long a stream has to bring what a trigger told of.
    static let streamCheck = Duration.seconds(1)
    /// Before a pivot change is tried again that the disk did not take.
    public static let changing = Backoff.Range(first: .seconds(5), greatest: .seconds(60))
    /// While no stream is open, reads do not wait for a question that is older.
    static let questionPatience = Duration.seconds(1)
}

extension Duration {
    /// Rounded up; at most what a steady clock of milliseconds can be added to.
    package var milliseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, seconds < 1 << 40 else { return seconds < 0 ? 0 : 1 << 50 }
        return UInt64(seconds) * 1000 + UInt64(max(0, attoseconds) + 999_999_999_999_999) / 1_000_000_000_000_000
    }
}
