import AsyncHTTPClient
import GimbalWire
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// Speaks to a server over HTTP/1.1 and WebSocket.
final class HTTPTransport: Transport {
    private let address: ServerAddress
    private let options: GimbalClient.Options
    private let http: HTTPClient
    private let openChannels = Mutex<[ObjectIdentifier: any Channel]?>([:])

    init(_ address: ServerAddress, _ options: GimbalClient.Options) {
        self.address = address
        self.options = options
        var configuration = HTTPClient.Configuration()
        configuration.tlsConfiguration = options.tlsConfiguration
        configuration.timeout.connect = TimeAmount(options.connectTimeout)
        configuration.redirectConfiguration = .disallow
        // A server that is away is known to be away at once.
        configuration.connectionPool.retryConnectionEstablishment = false
        http = HTTPClient(
            eventLoopGroupProvider: .shared(MultiThreadedEventLoopGroup.singleton), configuration: configuration)
    }

    deinit {
        guard close() else { return }
        // It has to live until it has closed its connections.
        let http = http
        http.shutdown { _ in withExtendedLifetime(http) {} }
    }

    func shutdown() async {
        guard close() else { return }
        // Only a second shutdown fails, and there is none.
        try? await http.shutdown()
    }

    private var isShutDown: Bool { openChannels.withLock { $0 == nil } }

    /// False when it was closed already.
    private func close() -> Bool {
        let channels = openChannels.withLock { channels in channels.take() }
        guard let channels else { return false }
        for channel in channels.values { channel.close(promise: nil) }
        return true
    }

    // MARK: Requests

    func send(_ request: TransportRequest) async throws(GimbalError) -> TransportAnswer {
        do {
            let response = try await http.execute(makeRequest(request), timeout: TimeAmount(options.requestTimeout))
            let body = try await response.body.collect(upTo: options.maximumMessageBytes)
            return TransportAnswer(status: Int(response.status.code), response.headers, body)
        } catch {
            throw GimbalError(transport: error)
        }
    }

    private func makeRequest(_ request: TransportRequest) -> HTTPClientRequest {
        var query: [String] = []
        if let limit = request.limit { query.append("limit=\(limit)") }
        if let cursor = request.cursor { query.append("cursor=\(cursor)") }
        let suffix = query.isEmpty ? "" : "?" + query.joined(separator: "&")
        var result = HTTPClientRequest(url: "\(address.base)/\(request.target)\(suffix)")
        result.method =
            switch request.method {
            case .get: .GET
            case .post: .POST
            case .patch: .PATCH
            case .delete: .DELETE
            }
        result.headers = headers
        if let preference = request.preference { result.headers.add(name: "Gimbal-Read", value: preference.rawValue) }
        if let body = request.body {
            result.headers.add(name: "Content-Type", value: "application/json")
            result.body = .bytes(ByteBuffer(bytes: body))
        }
        return result
    }

    private var headers: HTTPHeaders {
        var headers = HTTPHeaders()
        if let token = options.token { headers.add(name: "Authorization", value: "Bearer \(token)") }
        return headers
    }

    // MARK: Subscriptions

    func open(_ target: String, since version: String?) async throws(GimbalError) -> MessageStream {
        let uri = "\(address.prefix)/\(target)\(version.map { "?v=\($0)" } ?? "")"
        let opening = WebSocketOpening(address: address, uri: uri, headers: headers, options: options)
        let opened: WebSocketOpening.Outcome
        do {
            opened = try await opening.run { channel in self.register(channel) }
        } catch {
            // The connector wraps what made the attempt end.
            if Task.isCancelled { throw .cancelled }
            throw isShutDown ? .shutDown : GimbalError(transport: error)
        }
        switch opened {
        case .open(let stream): return stream
        case .refused(let answer): throw GimbalError(answer, target: target)
        }
    }

    /// False once the client is shut down.
    private func register(_ channel: any Channel) -> Bool {
        let id = ObjectIdentifier(channel)
        let isOpen = openChannels.withLock { channels in
            channels?[id] = channel
            return channels != nil
        }
        channel.closeFuture.whenComplete { [weak self] _ in
            self?.openChannels.withLock { channels in channels?[id] = nil }
        }
        return isOpen
    }
}

extension TransportAnswer {
    init(status: Int, _ headers: HTTPHeaders, _ body: ByteBuffer) {
        self.init(
            status: status, errorCode: headers.first(name: "Gimbal-Error"),
            freshness: headers.first(name: "Gimbal-Freshness").flatMap { Freshness(rawValue: $0) },
            cursor: headers.first(name: "Gimbal-Cursor"), body: Array(buffer: body))
    }
}

extension GimbalError {
    /// What went wrong where there is no answer.
    init(transport error: any Error) {
        self =
            switch error {
            case is CancellationError: .cancelled
            case let error as GimbalError: error
            case let error as HTTPClientError:
                switch error {
                case .cancelled: .cancelled
                case .alreadyShutdown: .shutDown
                case .deadlineExceeded, .readTimeout, .writeTimeout: .timedOut
                default: .unreachable("\(error)")
                }
            case is NIOTooManyBytesError: .unexpectedAnswer("it is longer than the client takes")
            default: .unreachable("\(error)")
            }
    }
}
