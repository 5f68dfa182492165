import NIOCore

/// How long a node waits for one answer of its pivot, beyond the time for a new connection. When it asks again is said by
/// `Pauses`.
enum Patience {
    /// An answer of some bytes.
    static let answer = TimeAmount.seconds(5)
    static let join = TimeAmount.seconds(10)
    /// One question for the pivot's place, over the stream's kind of connection and over one that may be new.
    static let place = TimeAmount.seconds(2)
    static let placeAnew = TimeAmount.seconds(5)
    /// How long a configured pivot that is not the stored one has for its first answer before the old copy is served.
    static let firstContact = Duration.seconds(5)
    /// No pivot and nothing on the way makes a node wait longer by `Retry-After`.
    static let greatestRetryAfter = Duration.seconds(300)

    /// For a push: a link with 8 KiB a second is slow, and not away.
    static func push(bytes: Int) -> TimeAmount { .seconds(30 + Int64(bytes >> 13)) }
}
