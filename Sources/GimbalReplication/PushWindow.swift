/// How large the next push may be. It begins small enough for what usually stands on the way (nginx takes bodies of 1 MiB unless
/// told otherwise), grows with each push that was answered, so that a long outbox soon fills a commit of the pivot, and
/// shrinks with each that was not.
///
/// What was sealed keeps its bytes. So deltas are sealed small, and one that is larger than the window goes alone.
package struct PushWindow: Hashable, Sendable {
    package static let firstBytes = 768 << 10
    /// With what stands around the deltas it stays under `PushRequest.hardMaximumBytes`.
    package static let greatestBytes = 24 << 20
    /// At most this many deltas in one push, which is one commit of the pivot.
    package static let greatestDeltas = 64
    /// Bytes of operations after which the next delta of an outbox begins: full deltas of small values fit.
    private static let sealedBytes = 640 << 10
    private static let leastBytes = 16 << 10

    package private(set) var bytes = firstBytes
    /// What was refused as too large, halved: the way does not get wider by asking again.
    private var widthOfTheWay = greatestBytes
    /// The same of what nobody answered: forgotten with the next connection.
    private var ceiling = greatestBytes

    package init() {}

    /// Bytes after which the next delta begins that is sealed now.
    package var deltaBytes: Int { min(Self.sealedBytes, widthOfTheWay) }

    /// The first deltas of a chain that go together, of those after a sequence; one at least where there is any.
    package func prefix(of chain: [SealedLink], after sequence: UInt64) -> [SealedLink] {
        var chosen: [SealedLink] = []
        var total = 0
        for link in chain where link.firstSequence > sequence {
            guard chosen.isEmpty || (chosen.count < Self.greatestDeltas && total + link.bytes <= bytes) else { break }
            chosen.append(link)
            total += link.bytes
        }
        return chosen
    }

    /// A push of so many bytes was answered, whatever the verdict.
    package mutating func answered(_ sent: Int) {
        guard sent >= bytes / 2 else { return }
        bytes = min(bytes * 2, ceiling, widthOfTheWay)
    }

    /// A push of so many bytes was not: as too large, or by nobody.
    package mutating func failed(_ sent: Int, isTooLarge: Bool) {
        if isTooLarge {
            widthOfTheWay = min(widthOfTheWay, max(sent / 2, Self.leastBytes))
        } else if sent > Self.firstBytes {
            ceiling = min(ceiling, max(sent / 2, Self.firstBytes))
        }
        bytes = min(Self.firstBytes, widthOfTheWay)
    }

    /// There is a new connection.
    package mutating func joined() { ceiling = Self.greatestBytes }
}
