import AsyncHTTPClient
import GimbalCRDT
import GimbalSigning
import GimbalWire
import NIOCore
import NIOHTTP1
import Synchronization

/// Sends signed requests to one pivot. A nonce is never used twice; a challenge that the pivot does not know any more is
/// replaced by the one in its 401, once.
final class SignedClient: Sendable {
    let baseURL: String
    private let http: HTTPClient
    /// How long a new connection may take to open.
    private let connectTimeout: TimeAmount
    private let signer: any Signer
    private let address: @Sendable () -> String
    private let clockSkew: @Sendable () -> Int64?
    private let primitives = SodiumPrimitives()
    private let nonces = Mutex(Nonces())

    private struct Nonces {
        var challenge = [UInt8](repeating: 0, count: RequestSignature.challengeByteCount)
        var counter: UInt64 = 0
    }

    /// - Parameters:
    ///   - baseURL: scheme, host, port, and what a proxy wants before each path and strips: signed is the path behind it.
    ///   - address: what the pivot shows for this node, and calls; asked anew for each request, because a node that was here before
    ///     begins to follow while it does not listen yet.
    ///   - clockSkew: of this node's clock ahead of the pivot's, in milliseconds.
    init(
        baseURL: String, signer: any Signer, address: @escaping @Sendable () -> String, http: HTTPClient,
        connectTimeout: TimeAmount,
        clockSkew: @escaping @Sendable () -> Int64? = { nil }
    ) {
        self.clockSkew = clockSkew
        self.baseURL = baseURL
        self.signer = signer
        self.address = address
        self.http = http
        self.connectTimeout = connectTimeout
    }

    /// For a request whose connection may be new.
    func deadline(_ timeout: TimeAmount) -> NIODeadline { .now() + connectTimeout + timeout }

    struct Reply: Sendable {
        var response: HTTPClientResponse
        /// What the answer must be signed over.
        var nonce: [UInt8]
    }

    func send(
        _ method: String, _ path: String, query: String = "", body: [UInt8]? = nil, deadline: NIODeadline
    ) async throws -> Reply {
        let first = try await attempt(method, path, query, body, deadline)
        guard first.response.status == .unauthorized,
            let challenge = first.response.headers.first(name: RequestSignature.challengeHeader).flatMap({ Hex.decode($0) }),
            challenge.count == RequestSignature.challengeByteCount
        else { return first }
        nonces.withLock { $0 = Nonces(challenge: challenge) }
        return try await attempt(method, path, query, body, deadline)
    }

    private func attempt(
        _ method: String, _ path: String, _ query: String, _ body: [UInt8]?, _ deadline: NIODeadline
    ) async throws -> Reply {
        let nonce = nonces.withLock { nonces in
            nonces.counter += 1
            return RequestSignature.nonce(challenge: nonces.challenge, counter: nonces.counter)
        }
        let target = RequestSignature.Target(method: method, path: path, query: query, body: body, primitives)
        var request = HTTPClientRequest(url: baseURL + path + (query.isEmpty ? "" : "?\(query)"))
        request.method = .RAW(value: method)
        let signature = RequestSignature(signing: target, nonce: nonce, with: signer)
        for header in signature.headers(for: target) {
            request.headers.add(name: header.name, value: header.value)
        }
        request.headers.add(name: "Gimbal-Address", value: address())
        if let skew = clockSkew() { request.headers.add(name: RequestSignature.clockHeader, value: String(skew)) }
        if let body { request.body = .bytes(ByteBuffer(bytes: body)) }
        return Reply(response: try await http.execute(request, deadline: deadline), nonce: nonce)
    }

    /// An unsigned request: for the certificate, which proves itself.
    func get(_ path: String, deadline: NIODeadline) async throws -> HTTPClientResponse {
        try await http.execute(HTTPClientRequest(url: baseURL + path), deadline: deadline)
    }
}
