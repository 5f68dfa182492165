import Foundation
import Synchronization

/// Something on the way that answers some requests in the server's place, as proxies do.
///
/// It takes what begins with a request's line for a request: its clients send no request before the last was answered.
final class HTTPInterceptor: Sendable {
    /// An answer for a request; nil lets it through.
    typealias Rule = @Sendable (Request) -> String?

    struct Request {
        /// `POST /path`
        var line: String
        var contentLength: Int
    }

    private final class Line: Sendable {
        let rule = Mutex<Rule?>(nil)
        let answers = Mutex(0)

        func answer(_ bytes: ArraySlice<UInt8>) -> String? {
            let head = String(decoding: bytes.prefix(2048), as: UTF8.self)
            guard let end = head.firstRange(of: " HTTP/1.1\r\n"), let rule = rule.withLock({ $0 }) else { return nil }
            let length = head.firstMatch(of: /content-length: ([0-9]+)/.ignoresCase()).flatMap { Int($0.1) } ?? 0
            let answer = rule(Request(line: String(head[..<end.lowerBound]), contentLength: length))
            if answer != nil { answers.withLock { $0 += 1 } }
            return answer
        }
    }

    private let listener: TCPListener
    private let line: Line

    init(to port: Int) throws {
        let line = Line()
        self.line = line
        listener = try TCPListener { listener, client in
            listener.relay(client, to: UInt16(port), answering: { line.answer($0) })
        }
    }

    var url: String { "http://127.0.0.1:\(listener.port)" }
    /// How many requests it has answered.
    var answers: Int { line.answers.withLock { $0 } }

    func intercept(_ rule: Rule?) { line.rule.withLock { $0 = rule } }

    /// An answer that ends its connection.
    static func answer(_ status: String, _ body: String = "", type: String = "text/html", _ headers: [String] = []) -> String {
        let lines = ["HTTP/1.1 \(status)", "Content-Type: \(type)", "Content-Length: \(body.utf8.count)"]
        return (lines + headers + ["Connection: close"]).joined(separator: "\r\n") + "\r\n\r\n" + body
    }
}
