import GimbalCRDT
import GimbalStore
import NIOCore
import NIOHTTP1
import NIOWebSocket

/// From a request to a WebSocket (RFC 6455 §4.2), in the same pipeline as the lean path and Hummingbird: a request that is
/// refused gets an ordinary answer.
struct WebSocketUpgrade {
    let keys: KeyService
    let hub: SubscriptionHub

    /// Clients have nothing to say but pings and the closing.
    private static let maximumFrameBytes = 1 << 14

    enum Decision {
        case accept(WebSocketPurpose, HTTPHeaders)
        case refuse(KeyAnswer)
        /// Another protocol than WebSocket: the request counts as an ordinary one.
        case ignore
    }

    func decide(_ head: HTTPRequestHead) -> Decision {
        let offered = head.headers[canonicalForm: "upgrade"].map { $0.lowercased() }
        guard head.method == .GET, offered.contains("websocket") else { return .ignore }
        guard head.headers[canonicalForm: "sec-websocket-version"].contains("13"),
            head.headers.first(name: "sec-websocket-key") != nil
        else { return .refuse(.failure(426, "bad-upgrade", "WebSocket of version 13 (RFC 6455), with its key, expected")) }
        var headers = HTTPHeaders()
        // Clients that can set no header send their token as a second protocol; the first is the one that is spoken.
        if head.headers[canonicalForm: "sec-websocket-protocol"].contains("bearer") {
            headers.add(name: "Sec-WebSocket-Protocol", value: "bearer")
        }
        return purpose(head.uri, headers)
    }

    private func purpose(_ uri: String, _ headers: HTTPHeaders) -> Decision {
        let parts = uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let target = parts[0].dropFirst()
        guard !target.isEmpty else { return .accept(.clock, headers) }
        let query = parts.dropFirst().first?.split(separator: "&") ?? []
        let name: TopicName
        if target.contains("*") {
            guard let pattern = Pattern(target) else { return .refuse(KeyService.invalidPath) }
            if let waiting = keys.host.homes(of: pattern).first(where: { !$0.store.isReady }) {
                return .refuse(KeyService.notReady(waiting))
            }
            name = query.contains("changes=1") ? .changes(pattern) : .list(pattern)
        } else {
            guard let path = Path(target) else { return .refuse(KeyService.invalidPath) }
            guard !path.isReserved else { return .refuse(KeyService.reservedPath) }
            let home = keys.host.home(of: path)
            guard home.store.isReady else { return .refuse(KeyService.notReady(home)) }
            name = .key(path)
        }
        let version = query.first { $0.hasPrefix("v=") }
        return .accept(.topic(name, since: version.flatMap { UInt64($0.dropFirst(2), radix: 16) }), headers)
    }

    /// Answers the request and makes the pipeline speak WebSocket: the HTTP handlers before `lean` and `lean` itself go.
    func perform(
        _ head: HTTPRequestHead, _ purpose: WebSocketPurpose, _ headers: HTTPHeaders, _ http: HTTPHandlers,
        _ lean: LeanHandler, _ context: ChannelHandlerContext
    ) {
        let upgrader = NIOWebSocketServerUpgrader(
            maxFrameSize: Self.maximumFrameBytes, automaticErrorHandling: false,
            shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture(headers) },
            upgradePipelineHandler: { channel, _ in channel.eventLoop.makeSucceededVoidFuture() })
        let bound = NIOLoopBound((context, http, lean, self), eventLoop: context.eventLoop)
        upgrader.buildUpgradeResponse(channel: context.channel, upgradeRequest: head, initialResponseHeaders: HTTPHeaders())
            .whenComplete { result in
                let (context, http, lean, upgrade) = bound.value
                guard case .success(let headers) = result else { return context.close(promise: nil) }
                let answer = HTTPResponseHead(version: .http1_1, status: .switchingProtocols, headers: headers)
                context.write(NIOAny(HTTPServerResponsePart.head(answer)), promise: nil)
                context.writeAndFlush(NIOAny(HTTPServerResponsePart.end(nil)), promise: nil)
                upgrade.change(purpose, http, lean, context)
            }
    }

    private func change(_ purpose: WebSocketPurpose, _ http: HTTPHandlers, _ lean: LeanHandler, _ context: ChannelHandlerContext)
    {
        let pipeline = context.pipeline.syncOperations
        let handler = WebSocketHandler(keys: keys, hub: hub, purpose: purpose)
        do {
            try pipeline.addHandler(handler, position: .after(lean))
            try pipeline.addHandler(
                ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: Self.maximumFrameBytes)), position: .after(lean))
        } catch {
            return context.close(promise: nil)
        }
        // The decoder goes last: what it holds already is the first frame's.
        let bound = NIOLoopBound((handler, pipeline, http), eventLoop: context.eventLoop)
        pipeline.removeHandler(lean).flatMap {
            let (_, pipeline, http) = bound.value
            return pipeline.removeHandler(http.encoder)
        }.flatMap {
            let (_, pipeline, http) = bound.value
            return pipeline.removeHandler(http.decoder)
        }.whenComplete { _ in bound.value.0.begin() }
        context.channel.setOption(.socketOption(.so_keepalive), value: 1).whenFailure { _ in }
    }
}

/// The handlers of a connection that speak HTTP/1.1.
struct HTTPHandlers {
    let encoder = HTTPResponseEncoder()
    let decoder = ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes))
}
