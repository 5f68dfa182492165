import NIOHTTP1
import NIOHTTPCompression

/// gzip for what Hummingbird answers: lists, the page, the explorer. Single keys are too small to gain from it.
enum Compression {
    private static let types = ["application/json", "text/"]

    static func handler() -> HTTPResponseCompressor {
        HTTPResponseCompressor { head, _ in
            guard applies(to: head) else { return .doNotCompress }
            head.headers.add(name: "Vary", value: "Accept-Encoding")
            return .compressIfPossible
        }
    }

    /// Whether an answer is compressed for those who take it so.
    static func applies(to head: HTTPResponseHead) -> Bool {
        let type = head.headers.first(name: "content-type") ?? ""
        return types.contains(where: type.hasPrefix)
    }

    static func takesGzip(_ head: HTTPRequestHead) -> Bool {
        head.headers[canonicalForm: "accept-encoding"].contains { $0.hasPrefix("gzip") }
    }

    /// The request with one encoding to choose from, and none where the answer has no body.
    static func request(_ head: HTTPRequestHead) -> HTTPRequestHead {
        let accepted = head.headers[canonicalForm: "accept-encoding"]
        guard !accepted.isEmpty else { return head }
        var head = head
        head.headers.remove(name: "accept-encoding")
        if head.method != .HEAD, let gzip = accepted.first(where: { $0.hasPrefix("gzip") }) {
            head.headers.add(name: "accept-encoding", value: String(gzip))
        }
        return head
    }
}
