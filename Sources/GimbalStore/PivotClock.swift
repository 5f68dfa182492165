import GimbalReplication
import Synchronization

/// How far a pivot's clock is from this node's, from what the pivot's answers say: the estimate of the quickest answer of the
/// last minute, whose error is at most half of the time that it took (D. Mills, RFC 5905 §8).
public final class PivotClock: Sendable {
    private struct Sample {
        var offset: Int64
        var roundTrip: UInt64
        var steadyMilliseconds: UInt64
    }

    private static let lifetime: UInt64 = 60_000
    private let clock: SystemClock
    private let best = Mutex<Sample?>(nil)
    private let latest = Mutex<Latest?>(nil)

    /// The pivot's last word.
    private struct Latest {
        var position: UInt64
        var steadyMilliseconds: UInt64
    }

    init(_ clock: SystemClock) { self.clock = clock }

    /// When a question is sent; give it to `observe` with the answer.
    public func ask() -> UInt64 { clock.now().steadyMilliseconds }

    /// - Parameters:
    ///   - pivotMilliseconds: what the pivot's clock said when it answered.
    ///   - position: where its log ended then.
    ///   - asked: what `ask` returned when the question was sent.
    public func observe(pivotMilliseconds: UInt64, position: UInt64, askedAt asked: UInt64) {
        let now = clock.now()
        latest.withLock { $0 = Latest(position: position, steadyMilliseconds: now.steadyMilliseconds) }
        let roundTrip = now.steadyMilliseconds - min(asked, now.steadyMilliseconds)
        let here = Int64(clamping: now.wallMilliseconds) - Int64(clamping: roundTrip / 2)
        // Both far from the ends of the range, or else shown as they come out.
        let offset = Int64(clamping: pivotMilliseconds).subtractingReportingOverflow(here).partialValue
        best.withLock { best in
            if let known = best, known.roundTrip < roundTrip, now.steadyMilliseconds - known.steadyMilliseconds < Self.lifetime {
                return
            }
            best = Sample(offset: offset, roundTrip: roundTrip, steadyMilliseconds: now.steadyMilliseconds)
        }
    }

    /// Where the pivot's log ended when it last answered; nil before its first answer.
    public var pivotPosition: UInt64? { latest.withLock { $0?.position } }

    /// How long ago that was.
    public var silentMilliseconds: UInt64? {
        guard let heard = latest.withLock({ $0?.steadyMilliseconds }) else { return nil }
        return clock.now().steadyMilliseconds - heard
    }

    /// The pivot's clock minus this one, in milliseconds; nil before its first answer.
    public var offsetMilliseconds: Int64? { best.withLock { $0?.offset } }
}
