import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// A server channel with the lean path in front of Hummingbird's routes, in one pipeline.
struct LeanChannel: ServerChildChannel, HTTPChannelHandler {
    typealias Value = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    let responder: Responder
    let keys: KeyService
    let hub: SubscriptionHub
    let meter: RequestMeter
    let rules: ConnectionRules

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            let watch = ConnectionWatch(rules.timeouts)
            // A request and its answer are one read and one write: no second read asks whether there is more.
            try channel.syncOptions?.setOption(.maxMessagesPerRead, value: 1)
            try pipeline.addHandler(FastLane(keys: keys, meter: meter, watch: watch, door: rules.door))
            let http = HTTPHandlers()
            try pipeline.addHandlers(http.encoder, http.decoder)
            try pipeline.addHandler(
                LeanHandler(keys: keys, hub: hub, http: http, meter: meter, watch: watch, rules: rules))
            try pipeline.addHandler(Compression.handler())
            try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: false))
            try pipeline.addHandler(HTTPConnectionStateHandler(idleTimeout: nil, logger: logger))
            return try NIOAsyncChannel(
                wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
        }
    }

    func handle(value: Value, logger: Logger) async {
        await handleHTTP(asyncChannel: value, logger: logger)
    }
}

extension HTTPServerBuilder {
    /// HTTP/1.1 with the lean path, and WebSocket.
    static func lean(
        keys: KeyService, hub: SubscriptionHub, meter: RequestMeter, rules: ConnectionRules
    ) -> HTTPServerBuilder {
        HTTPServerBuilder { responder in
            LeanChannel(responder: responder, keys: keys, hub: hub, meter: meter, rules: rules)
        }
    }
}
