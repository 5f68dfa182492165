import Glibc

struct HTTPAnswer {
    let status: Int
    let body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }

    func bodyContains(_ part: [UInt8]) -> Bool {
        body.firstRange(of: part) != nil
    }
}

/// One keep-alive connection that sends a request and waits for its answer: for setting up, for looking at single keys, and
/// where the latency of one request after another is what is measured.
final class HTTPConnection {
    private static let answerLimit = 1 << 20

    private let socket: LoopbackSocket
    private var buffer = [UInt8](repeating: 0, count: 1 << 16)

    init(port: UInt16) throws {
        socket = try LoopbackSocket.connected(to: port)
        socket.setReceiveTimeout(seconds: 30)
    }

    func get(_ path: String, header: String? = nil) throws -> HTTPAnswer {
        let extra = header.map { "\($0)\r\n" } ?? ""
        return try send("GET \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\n\(extra)\r\n")
    }

    func post(_ path: String, json: String) throws -> HTTPAnswer {
        try send(
            "POST \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                + "Content-Length: \(json.utf8.count)\r\n\r\n\(json)")
    }

    private func send(_ request: String) throws -> HTTPAnswer {
        try Array(request.utf8).withUnsafeBytes { try socket.send($0) }
        var filled = 0
        while true {
            let count = try buffer.withUnsafeMutableBytes {
                try socket.receive(into: UnsafeMutableRawBufferPointer(rebasing: $0[filled...]), waiting: true)
            }
            guard let count, count > 0 else { throw BenchmarkFailure("no answer to \(request.prefix(40))…") }
            filled += count
            if let answer = try answer(in: filled) { return answer }
            if filled == buffer.count {
                guard filled < Self.answerLimit else { throw BenchmarkFailure("an answer over 1 MiB") }
                buffer += [UInt8](repeating: 0, count: filled)
            }
        }
    }

    private func answer(in filled: Int) throws -> HTTPAnswer? {
        let frame = try buffer.withUnsafeBytes {
            try AnswerFormat.http.firstAnswer(in: UnsafeRawBufferPointer(rebasing: $0[..<filled]))
        }
        return frame.map {
            HTTPAnswer(status: $0.status, body: Array(buffer[$0.headLength..<$0.length]))
        }
    }
}
