import GimbalCRDT
import NIOCore

/// Which nodes can be told to pull, and when each may be told next: a value that knows no network.
package struct TriggerBook: Sendable {
    private struct Target {
        var address: TriggerAddress
        var isInFlight = false
        var failures = 0
        /// Where the log ended when it was last told.
        var toldPosition: UInt64?
        /// At most one a second, and less often the longer it does not answer.
        var notBefore = NIODeadline.uptimeNanoseconds(0)
        /// Told then even if nothing is new, to see whether it lives.
        var checkAt = NIODeadline.uptimeNanoseconds(0)
    }

    package struct Call: Sendable {
        package var author: AuthorID
        var address: TriggerAddress
        /// Where the log ends.
        package var position: UInt64
    }

    private var targets: [AuthorID: Target] = [:]
    private var inFlight = 0

    /// However many nodes there are: a pivot that triggers does little else for it.
    private static let concurrency = 8
    private static let pause = TimeAmount.seconds(1)
    private static let checkPause = TimeAmount.seconds(30)
    private static let longestPauseSeconds: Int64 = 300

    package init() {}

    /// - Parameter address: nil takes back what was registered.
    package mutating func register(_ author: AuthorID, _ address: TriggerAddress?) {
        guard let address else {
            targets[author] = nil
            return
        }
        guard targets[author]?.address != address else { return }
        targets[author] = Target(address: address)
    }

    /// The nodes that are to be told now, and whether there are others that the next commit would be news for.
    ///
    /// - Parameter isWanted: whether a node is still to be told: a member that does not follow.
    package mutating func take(
        _ now: NIODeadline, logEnd: UInt64, isWanted: (AuthorID) -> Bool
    ) -> (calls: [Call], isAnyIdle: Bool) {
        var calls: [Call] = []
        var isAnyIdle = false
        for (author, target) in targets where inFlight < Self.concurrency {
            guard !target.isInFlight, now >= target.notBefore, isWanted(author) else { continue }
            guard target.toldPosition != logEnd || now >= target.checkAt else {
                isAnyIdle = true
                continue
            }
            targets[author]?.isInFlight = true
            inFlight += 1
            calls.append(Call(author: author, address: target.address, position: logEnd))
        }
        return (calls, isAnyIdle)
    }

    package mutating func finish(_ call: Call, _ now: NIODeadline, isAnswered: Bool) {
        inFlight -= 1
        guard var target = targets[call.author], target.address == call.address else { return }
        target.isInFlight = false
        if isAnswered {
            target.failures = 0
            target.toldPosition = call.position
            target.notBefore = now + Self.pause
            target.checkAt = now + Self.checkPause
        } else {
            target.failures = min(target.failures + 1, 16)
            target.notBefore = now + .seconds(min(1 << Int64(target.failures), Self.longestPauseSeconds))
        }
        targets[call.author] = target
    }
}
