import NIOCore
import NIOHTTP1

/// What the form of an answer owes to its request, whoever makes the answer: no content for HEAD, no chunks for HTTP/1.0, and
/// the end of the connection where one side wants it (RFC 9110 §9.3.2, RFC 9112 §6.1, §9.3).
struct AnswerForm {
    let isHead: Bool
    /// HTTP/1.0.
    let isOld: Bool
    /// Whether the connection outlives the answer.
    var isKeptAlive: Bool
    /// Whether the client holds its body back until it is asked for.
    var isBodyHeldBack: Bool
    private let takesGzip: Bool

    /// For what is no request.
    init() {
        (isHead, isOld, isKeptAlive, isBodyHeldBack, takesGzip) = (false, false, false, false, false)
    }

    init(_ head: HTTPRequestHead) {
        isHead = head.method == .HEAD
        isOld = head.version == .http1_0
        isKeptAlive = head.isKeepAlive
        isBodyHeldBack =
            !isOld && head.headers[canonicalForm: "expect"].contains { $0.lowercased() == "100-continue" }
        takesGzip = isHead && Compression.takesGzip(head)
    }

    var version: HTTPVersion { isOld ? .http1_0 : .http1_1 }

    /// The option that an answer names in `Connection`; nil for none.
    var connection: String? {
        guard isKeptAlive else { return "close" }
        return isOld ? "keep-alive" : nil
    }

    /// The head of an answer that Hummingbird made, as this request's client can read it. It states how the body ends.
    mutating func shape(_ head: HTTPResponseHead) -> HTTPResponseHead {
        var head = head
        head.version = version
        head.headers.remove(name: "transfer-encoding")
        if !head.status.mayHaveResponseBody {
            head.headers.remove(name: "content-length")
        } else if isHead {
            // Hummingbird says 0 of a body that is streamed, and nothing is compressed here.
            let length = head.headers.first(name: "content-length")
            if length == "0" || (takesGzip && Compression.applies(to: head)) { head.headers.remove(name: "content-length") }
        } else if !head.headers.contains(name: "content-length") {
            if isOld { isKeptAlive = false } else { head.headers.add(name: "Transfer-Encoding", value: "chunked") }
        }
        if let connection { head.headers.replaceOrAdd(name: "Connection", value: connection) }
        return head
    }
}
