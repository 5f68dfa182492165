import Foundation
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
        guard head.method == .GET, head.version != .http1_0, offered.contains("websocket") else { return .ignore }
        guard head.headers[canonicalForm: "connection"].contains(where: { $0.lowercased() == "upgrade" }) else {
            return .refuse(Self.bad("Connection does not name Upgrade: something on the way may have taken it off"))
        }
        guard head.headers[canonicalForm: "sec-websocket-version"].elementsEqual(["13"]) else {
            return .refuse(.failure(426, "bad-upgrade", "WebSocket of version 13 (RFC 6455) expected"))
        }
        let keys = head.headers["sec-websocket-key"].map { Data(base64Encoded: $0) }
        guard keys.count == 1, keys[0]?.count == 16 else {
            return .refuse(Self.bad("one Sec-WebSocket-Key of 16 bytes in Base64 expected"))
        }
        var headers = HTTPHeaders()
        // Clients that can set no header send their token as a second protocol; the first is the one that is spoken.
        if head.headers[canonicalForm: "sec-websocket-protocol"].contains("bearer") {
            headers.add(name: "Sec-WebSocket-Protocol", value: "bearer")
        }
        return purpose(head.uri, headers)
    }

    private static func bad(_ sentence: String) -> KeyAnswer { .failure(400, "bad-upgrade", sentence) }

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
    /// Answers come with their lengths and codings stated: it adds chunks to the answer to a HEAD.
    let encoder = HTTPResponseEncoder(configuration: framing)
    let decoder = ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes))

    private static var framing: HTTPResponseEncoder.Configuration {
        var configuration = HTTPResponseEncoder.Configuration()
        configuration.automaticallySetFramingHeaders = false
        return configuration
    }
}
