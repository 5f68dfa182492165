import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket
import Synchronization

/// One attempt to open a WebSocket (RFC 6455 §4.1).
struct WebSocketOpening {
    let address: ServerAddress
    let uri: String
    let headers: HTTPHeaders
    let options: GimbalClient.Options

    enum Outcome: Sendable {
        case open(MessageStream)
        case refused(TransportAnswer)
    }

    private enum Upgrade: Sendable {
        case open(MessageStream)
        case refused(EventLoopFuture<TransportAnswer>)
    }

    /// The channel of the attempt, for whoever cancels it.
    private final class Attempt: Sendable {
        private let state = Mutex<(channel: (any Channel)?, isCancelled: Bool)>((nil, false))

        /// False when the attempt was cancelled before there was a channel.
        func begin(_ channel: any Channel) -> Bool {
            state.withLock { state in
                state.channel = channel
                return !state.isCancelled
            }
        }

        func close() {
            let channel = state.withLock { state in
                state.isCancelled = true
                return state.channel
            }
            channel?.close(promise: nil)
        }
    }

    /// - Parameter register: gets the channel as soon as there is one; when it answers false, the attempt ends.
    func run(register: @escaping @Sendable (any Channel) -> Bool) async throws -> Outcome {
        let attempt = Attempt()
        return try await withTaskCancellationHandler {
            try await run(attempt, register)
        } onCancel: {
            attempt.close()
        }
    }

    private func run(_ attempt: Attempt, _ register: @escaping @Sendable (any Channel) -> Bool) async throws -> Outcome {
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(TimeAmount(options.connectTimeout))
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
        let upgrade: EventLoopFuture<Upgrade> = try await bootstrap.connect(host: address.host, port: address.port) { channel in
            guard attempt.begin(channel) else { return channel.eventLoop.makeFailedFuture(GimbalError.cancelled) }
            guard register(channel) else { return channel.eventLoop.makeFailedFuture(GimbalError.shutDown) }
            return channel.eventLoop.makeCompletedFuture { try configure(channel) }
        }
        let deadline = upgrade.eventLoop.scheduleTask(in: TimeAmount(options.requestTimeout)) { attempt.close() }
        defer { deadline.cancel() }
        switch try await upgrade.get() {
        case .open(let stream): return .open(stream)
        case .refused(let answer):
            defer { attempt.close() }
            return .refused(try await answer.get())
        }
    }

    private func configure(_ channel: any Channel) throws -> EventLoopFuture<Upgrade> {
        let pipeline = channel.pipeline.syncOperations
        if address.isSecure {
            let context = try NIOSSLContext(configuration: options.tlsConfiguration)
            let isName = (try? SocketAddress(ipAddress: address.host, port: address.port)) == nil
            try pipeline.addHandler(NIOSSLClientHandler(context: context, serverHostname: isName ? address.host : nil))
        }
        var headers = headers
        headers.add(name: "Host", value: address.authority)
        let upgrader = NIOTypedWebSocketClientUpgrader<Upgrade>(
            maxFrameSize: options.maximumMessageBytes, upgradePipelineHandler: { channel, _ in upgraded(channel) })
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: uri, headers: headers)
        let upgrade = NIOTypedHTTPClientUpgradeConfiguration(
            upgradeRequestHead: head, upgraders: [upgrader], notUpgradingCompletionHandler: { refused($0) })
        var configuration = NIOUpgradableHTTPClientPipelineConfiguration(upgradeConfiguration: upgrade)
        // The first message may come in the same packet as the answer.
        configuration.leftOverBytesStrategy = .forwardBytes
        return try pipeline.configureUpgradableHTTPClientPipeline(configuration: configuration)
    }

    private func upgraded(_ channel: any Channel) -> EventLoopFuture<Upgrade> {
        channel.eventLoop.makeCompletedFuture {
            let reader = WebSocketReader(channel, interval: TimeAmount(options.keepAliveInterval))
            let aggregator = NIOWebSocketFrameAggregator(
                minNonFinalFragmentSize: 0, maxAccumulatedFrameCount: .max, maxAccumulatedFrameSize: options.maximumMessageBytes)
            try channel.pipeline.syncOperations.addHandlers(aggregator, reader)
            return .open(MessageStream(reader.pipe))
        }
    }

    private func refused(_ channel: any Channel) -> EventLoopFuture<Upgrade> {
        channel.eventLoop.makeCompletedFuture {
            let reader = RefusalReader(channel.eventLoop)
            try channel.pipeline.syncOperations.addHandler(reader)
            return .refused(reader.answer)
        }
    }
}

/// Reads the answer of a server that does not open a WebSocket.
private final class RefusalReader: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    private static let bodyLimit = 1 << 16

    private let promise: EventLoopPromise<TransportAnswer>
    private var head: HTTPResponseHead?
    private var body = ByteBuffer()

    init(_ loop: any EventLoop) { promise = loop.makePromise() }

    var answer: EventLoopFuture<TransportAnswer> { promise.futureResult }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): self.head = head
        case .body(let bytes):
            if body.readableBytes < Self.bodyLimit { body.writeImmutableBuffer(bytes) }
        case .end: finish()
        }
    }

    private func finish() {
        guard let head else { return promise.fail(ChannelError.eof) }
        promise.succeed(TransportAnswer(status: Int(head.status.code), head.headers, body))
    }

    func channelInactive(context: ChannelHandlerContext) { promise.fail(ChannelError.eof) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        promise.fail(error)
        context.close(promise: nil)
    }
}
