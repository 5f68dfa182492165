import GimbalWire
import NIOCore
import NIOHTTP1

/// Which requests the lean path takes.
enum LeanRequest {
    /// Nil for everything that Hummingbird answers: lists, the server's own routes, queries, other methods.
    static func keyRequest(_ head: HTTPRequestHead) -> KeyRequest? {
        let method: KeyRequest.Method
        switch head.method {
        case .GET, .HEAD: method = .get
        case .POST: method = .post
        case .PATCH: method = .patch
        case .DELETE: method = .delete
        default: return nil
        }
        // Whatever it is for: no route and no key has such a path, and a key's answer says so.
        let path = head.uri.utf8.prefix { $0 != UInt8(ascii: "?") }
        if TargetSpelling.isOdd(path) { return KeyRequest(method: method, target: Array(path.dropFirst())) }
        var uri = head.uri.utf8[...]
        guard uri.popFirst() == UInt8(ascii: "/"), let first = uri.first, first != UInt8(ascii: "_") else { return nil }
        let target = Array(uri)
        // Where Prometheus looks; the one key that the server keeps for itself.
        if target.count == 7, target.elementsEqual("metrics".utf8) { return nil }
        for (index, byte) in target.enumerated() {
            switch byte {
            case UInt8(ascii: "?"): return nil
            case UInt8(ascii: "*"):
                // A push: the only pattern that is a single key's matter.
                guard method == .post, index == target.count - 1, index > 0, target[index - 1] == UInt8(ascii: "/") else {
                    return nil
                }
            default: break
            }
        }
        let preference = head.headers.first(name: "gimbal-read").map { ReadPreference(rawValue: $0.lowercased()) ?? .fresh }
        var request = KeyRequest(method: method, target: target, preference: preference ?? .fresh)
        if method == .patch { request.patchRule = PatchType.rule(head.headers.first(name: "content-type")) }
        return request
    }
}

/// The heads of lean answers.
enum LeanResponse {
    /// A whole answer on a connection that stays open, as `head` and the body would be encoded.
    static func bytes(_ answer: KeyAnswer, isHead: Bool, _ allocator: ByteBufferAllocator) -> ByteBuffer {
        let body = answer.body
        var bytes = allocator.buffer(capacity: 256 + (body?.readableBytes ?? 0))
        bytes.writeStaticString("HTTP/1.1 ")
        switch answer.status {
        case 200: bytes.writeStaticString("200 OK")
        default:
            let status = HTTPResponseStatus(statusCode: answer.status)
            bytes.writeString("\(status.code) \(status.reasonPhrase)")
        }
        if let body {
            if answer.errorCode == nil {
                bytes.writeStaticString("\r\nContent-Type: application/json\r\nContent-Length: ")
            } else {
                bytes.writeStaticString("\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ")
            }
            bytes.writeString(String(body.readableBytes))
        } else if answer.status != 204 {
            bytes.writeStaticString("\r\nContent-Length: 0")
        }
        if let freshness = answer.freshness {
            bytes.writeStaticString("\r\nGimbal-Freshness: ")
            bytes.writeString(freshness.rawValue)
        }
        if let code = answer.errorCode {
            bytes.writeStaticString("\r\nGimbal-Error: ")
            bytes.writeString(code)
        }
        bytes.writeStaticString("\r\n\r\n")
        if !isHead, var body { bytes.writeBuffer(&body) }
        return bytes
    }

    static func head(
        _ answer: KeyAnswer, body: ByteBuffer?, _ form: AnswerForm, grantedOrigin: String?
    ) -> HTTPResponseHead {
        var headers = HTTPHeaders()
        headers.reserveCapacity(5)
        if let body {
            headers.add(name: "Content-Type", value: answer.errorCode == nil ? "application/json" : "text/plain; charset=utf-8")
            headers.add(name: "Content-Length", value: String(body.readableBytes))
        } else if answer.status != 204 {
            headers.add(name: "Content-Length", value: "0")
        }
        if let freshness = answer.freshness { headers.add(name: "Gimbal-Freshness", value: freshness.rawValue) }
        if let code = answer.errorCode { headers.add(name: "Gimbal-Error", value: code) }
        if answer.status == 415 { headers.add(name: "Accept-Patch", value: PatchType.accepted) }
        if let grantedOrigin { CrossOrigin.grant(grantedOrigin, &headers) }
        if answer.status == 426 {
            // What to ask for instead (RFC 6455 §4.2.2, RFC 9110 §15.5.22).
            headers.add(name: "Upgrade", value: "websocket")
            headers.add(name: "Sec-WebSocket-Version", value: "13")
            headers.add(name: "Connection", value: "upgrade, close")
        } else if let connection = form.connection {
            headers.add(name: "Connection", value: connection)
        }
        return HTTPResponseHead(version: form.version, status: HTTPResponseStatus(statusCode: answer.status), headers: headers)
    }
}
