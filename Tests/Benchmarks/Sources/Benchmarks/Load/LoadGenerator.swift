import CLinux
import Glibc

/// Keeps every connection of a plan busy with one request at a time, from one thread: it shares the cores with the server
/// that it measures, so it must be lighter than any of them.
final class LoadGenerator {
    /// No answer on any connection for this long means that the server is stuck.
    private static let stallSeconds = 30.0

    private let connections: [LoadConnection]
    private let poller: Int32
    private let keys: KeyOrder
    private let expectedHeaderLine: [UInt8]?
    private var random = SplitMix64(seed: steadyNanoseconds())
    private var values = ValueSource(seed: steadyNanoseconds())

    private var sent = 0
    private var inFlight = 0
    private var nanoseconds: [UInt64] = []
    private var answerBytes = 0
    private var answersWithoutHeaderLine = 0

    init(_ plan: LoadPlan) throws {
        keys = plan.keys
        expectedHeaderLine = plan.expectedHeaderLine.map { Array($0.utf8) }
        connections = try (0..<plan.connections).map { _ in try LoadConnection(plan: plan) }
        poller = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard poller >= 0 else { throw BenchmarkFailure.systemCall("epoll_create1", errorNumber: errno) }
        for (index, connection) in connections.enumerated() {
            var event = epoll_event(events: EPOLLIN.rawValue, data: epoll_data_t(u32: UInt32(index)))
            guard epoll_ctl(poller, EPOLL_CTL_ADD, connection.socket.descriptor, &event) == 0 else {
                throw BenchmarkFailure.systemCall("epoll_ctl", errorNumber: errno)
            }
        }
    }

    deinit {
        close(poller)
    }

    static func run(_ plan: LoadPlan, _ length: LoadLength) throws -> LoadResult {
        try LoadGenerator(plan).run(length)
    }

    private func run(_ length: LoadLength) throws -> LoadResult {
        let start = steadyNanoseconds()
        let schedule = Schedule(length, start: start)
        nanoseconds.reserveCapacity(schedule.requestLimit ?? 1 << 18)
        for connection in connections where schedule.allowsAnother(sent: sent, at: start) {
            try sendNext(on: connection)
        }
        var lastAnswer = start
        var events = [epoll_event](repeating: epoll_event(), count: connections.count)
        while inFlight > 0 {
            try Interruption.check()
            let ready = epoll_wait(poller, &events, Int32(events.count), 1000)
            if ready <= 0 {
                guard secondsSince(lastAnswer) < Self.stallSeconds else { throw BenchmarkFailure("no answers under load") }
                continue
            }
            for index in 0..<Int(ready) {
                let connection = connections[Int(events[index].data.u32)]
                guard let frame = try connection.receive() else { continue }
                lastAnswer = steadyNanoseconds()
                inFlight -= 1
                if schedule.counts(lastAnswer) { record(frame, on: connection, at: lastAnswer) }
                if schedule.allowsAnother(sent: sent, at: lastAnswer) { try sendNext(on: connection) }
            }
        }
        return LoadResult(
            requests: nanoseconds.count, seconds: schedule.measuredSeconds(lastAnswer: lastAnswer),
            latencies: Latencies(nanoseconds: nanoseconds), answerBytes: answerBytes,
            answersWithoutHeaderLine: answersWithoutHeaderLine)
    }

    private func sendNext(on connection: LoadConnection) throws {
        let key =
            switch keys {
            case .uniform(let bound): random.below(bound)
            case .ascending(let first): first + sent
            }
        sent += 1
        inFlight += 1
        try connection.send(key: key, values: &values)
    }

    private func record(_ frame: AnswerFrame, on connection: LoadConnection, at time: UInt64) {
        nanoseconds.append(time - connection.sentAt)
        answerBytes += frame.length
        if let expectedHeaderLine, !connection.answerHead(frame, hasLine: expectedHeaderLine) {
            answersWithoutHeaderLine += 1
        }
    }
}

/// When a load sends, when its answers count, and when it ends.
private struct Schedule {
    let requestLimit: Int?
    private let countsFrom: UInt64
    private let countsUntil: UInt64

    init(_ length: LoadLength, start: UInt64) {
        switch length {
        case .time(let warmUpSeconds, let seconds):
            requestLimit = nil
            countsFrom = start + UInt64(warmUpSeconds * 1e9)
            countsUntil = countsFrom + UInt64(seconds * 1e9)
        case .requests(let count):
            requestLimit = count
            countsFrom = start
            countsUntil = .max
        }
    }

    func allowsAnother(sent: Int, at time: UInt64) -> Bool {
        if let requestLimit { sent < requestLimit } else { time < countsUntil }
    }

    func counts(_ time: UInt64) -> Bool {
        countsFrom <= time && time < countsUntil
    }

    /// A load over a time is measured over exactly that time, one over a number of requests until its last answer.
    func measuredSeconds(lastAnswer: UInt64) -> Double {
        Double((requestLimit == nil ? countsUntil : lastAnswer) - countsFrom) / 1e9
    }
}
