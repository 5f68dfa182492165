import GimbalCRDT
import GimbalReplication
import GimbalWire

/// An exchange with a clock that tests move, and what it said last.
struct Talk {
    var exchange = Exchange()
    var now: UInt64 = 1_000_000
    var node = Exchange.NodeView(cursor: .start, incarnation: 7, fault: nil)
    private(set) var directives: [Exchange.Directive] = []
    /// Requests that were sent and not abandoned, in their order.
    private(set) var open: [(id: Exchange.RequestID, request: Exchange.Request)] = []
    private(set) var alarm: UInt64?
    private var random = SplitMix(state: 11)

    static let space = SpaceID(words: Words32(1, 2, 3, 4))

    static func place(_ position: UInt64) -> Cursor {
        Cursor(epoch: Epoch(number: 1, random: 9), position: position, logRoot: .zero)
    }

    static func answer(_ verdict: Answer.Verdict, at position: UInt64 = 0, detail: String = "") -> Exchange.Reply {
        .answer(
            Answer(
                space: space, nonce: [1], verdict: verdict, place: place(position), pivotMilliseconds: 0, detail: detail))
    }

    mutating func take(_ input: Exchange.Input) {
        directives = exchange.step(
            input, of: node, now: Now(wallMilliseconds: 0, steadyMilliseconds: now), using: &random)
        for directive in directives {
            switch directive {
            case .send(let request, let id): open.append((id, request))
            case .abandon(let id): open.removeAll { $0.id == id }
            case .wake(let time): alarm = time
            default: break
            }
        }
    }

    /// The newest open request of a kind.
    func request(where isWanted: (Exchange.Request) -> Bool) -> Exchange.RequestID? {
        open.last { isWanted($0.request) }?.id
    }

    mutating func reply(_ reply: Exchange.Reply, to isWanted: (Exchange.Request) -> Bool) {
        guard let id = request(where: isWanted) else { return }
        if case .stream = reply {} else { open.removeAll { $0.id == id } }
        take(.replied(id, reply))
    }

    mutating func fail(_ failure: Exchange.Failure, _ isWanted: (Exchange.Request) -> Bool) {
        guard let id = request(where: isWanted) else { return }
        open.removeAll { $0.id == id }
        take(.failed(id, failure))
    }

    /// Sleeps until the alarm. Returns how long that was.
    mutating func sleep() -> UInt64 {
        guard let alarm else { return 0 }
        defer { now = max(now, alarm) }
        let slept = max(now, alarm) - now
        now = max(now, alarm)
        self.alarm = nil
        take(.alarm)
        return slept
    }

    /// Certificate, join and the log's stream.
    mutating func follow(from position: UInt64 = 0) {
        reply(.certified) { $0 == .certificate }
        reply(Self.answer(.accepted, at: position)) { $0 == .join }
        reply(.stream, to: \.isLog)
    }

    var fed: [NodeInput] { directives.compactMap { if case .feed(let input) = $0 { input } else { nil } } }
}

extension Exchange.Request {
    var isLog: Bool { if case .log = self { true } else { false } }
    var isPush: Bool { if case .push = self { true } else { false } }
}

/// Sebastiano Vigna's SplitMix64.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }
}
