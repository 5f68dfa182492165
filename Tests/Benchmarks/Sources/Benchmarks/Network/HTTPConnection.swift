import Glibc

struct HTTPAnswer {
    let status: Int
    /// Status line and header fields.
    let head: String
    let body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }

    func header(_ name: String) -> String? {
        let line = head.split(separator: "\r\n").first { $0.lowercased().hasPrefix(name.lowercased() + ":") }
        return line.map { $0.dropFirst(name.count + 1).trimmingPrefix(while: \.isWhitespace) }.map(String.init)
    }

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

    init(port: UInt16, timeoutSeconds: Int = 30) throws {
        socket = try LoopbackSocket.connected(to: port)
        socket.setReceiveTimeout(seconds: timeoutSeconds)
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

    func delete(_ path: String) throws -> HTTPAnswer {
        try send("DELETE \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
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
        if let head = chunkedHead(in: filled) { return try chunkedAnswer(head, buffer[head.count..<filled]) }
        let frame = try buffer.withUnsafeBytes {
            try AnswerFormat.http.firstAnswer(in: UnsafeRawBufferPointer(rebasing: $0[..<filled]))
        }
        return frame.map {
            HTTPAnswer(
                status: $0.status, head: String(decoding: buffer[..<$0.headLength], as: UTF8.self),
                body: Array(buffer[$0.headLength..<$0.length]))
        }
    }

    /// The head of an answer whose body comes in chunks (RFC 9112 §7.1): lists do.
    private func chunkedHead(in filled: Int) -> [UInt8]? {
        let end = Array("\r\n\r\n".utf8)
        guard let range = buffer[..<filled].firstRange(of: end) else { return nil }
        let head = Array(buffer[..<range.upperBound])
        return String(decoding: head, as: UTF8.self).lowercased().contains("transfer-encoding: chunked") ? head : nil
    }

    private func chunkedAnswer(_ head: [UInt8], _ bytes: ArraySlice<UInt8>) throws -> HTTPAnswer? {
        let newline = Array("\r\n".utf8)
        var (rest, body) = (bytes, [UInt8]())
        while let line = rest.firstRange(of: newline) {
            guard let size = Int(String(decoding: rest[..<line.lowerBound], as: UTF8.self), radix: 16) else {
                throw BenchmarkFailure("a chunk without a size")
            }
            guard rest.endIndex - line.upperBound >= size + newline.count else { return nil }
            body += rest[line.upperBound..<line.upperBound + size]
            rest = rest[(line.upperBound + size + newline.count)...]
            guard size > 0 else {
                let status = Int(String(decoding: head[9..<12], as: UTF8.self)) ?? 0
                return HTTPAnswer(status: status, head: String(decoding: head, as: UTF8.self), body: body)
            }
        }
        return nil
    }
}
