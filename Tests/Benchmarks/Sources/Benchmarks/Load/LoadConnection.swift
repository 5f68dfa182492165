import Glibc

/// One keep-alive connection of a load, with at most one request in flight.
final class LoadConnection {
    let socket: LoopbackSocket
    private(set) var sentAt: UInt64 = 0

    private var request: RequestTemplate
    private var answer = [UInt8](repeating: 0, count: 1 << 14)
    private var filled = 0

    init(plan: LoadPlan) throws {
        socket = try LoopbackSocket.connected(to: plan.port)
        request = plan.request
    }

    func send(key: Int, values: inout ValueSource) throws {
        request.prepare(key: key, values: &values)
        filled = 0
        sentAt = steadyNanoseconds()
        try request.bytes.withUnsafeBytes { try socket.send($0) }
    }

    /// The answer when it has arrived whole, nil before that.
    func receive() throws -> AnswerFrame? {
        let count = try answer.withUnsafeMutableBytes {
            try socket.receive(into: UnsafeMutableRawBufferPointer(rebasing: $0[filled...]), waiting: false)
        }
        guard let count else { return nil }
        guard count > 0 else { throw BenchmarkFailure("the server hung up under load") }
        filled += count
        let frame = try answer.withUnsafeBytes {
            try request.format.firstAnswer(in: UnsafeRawBufferPointer(rebasing: $0[..<filled]))
        }
        guard let frame else {
            guard filled < answer.count else { throw BenchmarkFailure("an answer over \(answer.count) bytes") }
            return nil
        }
        guard frame.status == 200, frame.length == filled else {
            throw BenchmarkFailure("a wrong answer under load: \(String(decoding: answer[..<filled], as: UTF8.self))")
        }
        return frame
    }

    /// Whether the answer that `receive` just gave has this line in its head.
    func answerHead(_ frame: AnswerFrame, hasLine line: [UInt8]) -> Bool {
        answer.withUnsafeBytes { AnswerFrame.head(UnsafeRawBufferPointer(rebasing: $0[..<frame.headLength]), hasLine: line) }
    }
}
