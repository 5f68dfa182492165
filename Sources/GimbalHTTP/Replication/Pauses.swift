import GimbalClient
import NIOCore

/// Every wait of a node for its pivot, in one place. Those that repeat grow while what they wait for fails, are scattered, so
/// that a fleet does not come back all at once, and begin anew after a success (`Backoff`).
enum Pauses {
    /// Before the pivot is asked again that did not let this node follow, or whose stream ended.
    static let following = Reconnect(firstDelay: .milliseconds(200), greatestDelay: .seconds(5))
    /// Before a push is sent again that nobody answered.
    static let pushing = Reconnect(firstDelay: .milliseconds(500), greatestDelay: .seconds(5))
    /// The same where something on the way answered, or a pivot that is in trouble.
    static let refused = Reconnect(firstDelay: .seconds(1), greatestDelay: .seconds(60))
    /// The same where the pivot does not want it: its operator may have mended that.
    static let unwanted = Reconnect(firstDelay: .seconds(5), greatestDelay: .seconds(30))
    /// Before the log's end is asked for again.
    static let asking = Reconnect(firstDelay: .seconds(1), greatestDelay: .seconds(10))
    /// Before reads ask a pivot again that did not answer.
    static let away = Reconnect(firstDelay: .milliseconds(500), greatestDelay: .seconds(5))
    /// Before a pivot change is tried again that the disk did not take.
    static let changing = Reconnect(firstDelay: .seconds(5), greatestDelay: .seconds(60))
    /// How often a node that nobody reads asks where its pivot is and what its clock says, for people to see.
    static let watch = Duration.seconds(10)
    /// No pivot and nothing on the way makes a node wait longer by `Retry-After`.
    static let greatestRetryAfter = Duration.seconds(300)

    /// How long a configured pivot that is not the stored one has for its first answer before the old copy is served.
    static let firstContact = Duration.seconds(5)
    /// Beyond the time for a new connection: an answer of some bytes.
    static let answer = TimeAmount.seconds(5)
    static let join = TimeAmount.seconds(10)
    /// One question for the pivot's place, over the stream's kind of connection and over one that may be new.
    static let place = TimeAmount.seconds(2)
    static let placeAnew = TimeAmount.seconds(5)
    /// While no stream is open, reads do not wait for a question that is older.
    static let questionPatience = TimeAmount.seconds(1)

    /// For a push: a link with 8 KiB a second is slow, and not away.
    static func push(bytes: Int) -> TimeAmount { .seconds(30 + Int64(bytes >> 13)) }
}
