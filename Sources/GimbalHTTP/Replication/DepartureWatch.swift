import NIOCore

/// Tells when the other end of a connection has gone, or will say nothing more: a server that only writes would else find out
/// when its next sign of life cannot be sent.
///
/// Hummingbird's own way (`consumeWithInboundCloseHandler`, 2.28.1) ends the process when the request's end was read before.
final class DepartureWatch: ChannelInboundHandler, RemovableChannelHandler, Sendable {
    typealias InboundIn = NIOAny

    private let onDeparture: @Sendable () -> Void

    init(onDeparture: @escaping @Sendable () -> Void) { self.onDeparture = onDeparture }

    /// Watches until the returned closure is called.
    static func begin(_ channel: any Channel, onDeparture: @escaping @Sendable () -> Void) -> @Sendable () -> Void {
        let watch = DepartureWatch(onDeparture: onDeparture)
        // In front: what comes later in the pipeline may keep the event to itself.
        channel.pipeline.addHandler(watch, position: .first).whenFailure { _ in onDeparture() }
        return { channel.pipeline.removeHandler(watch, promise: nil) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent { onDeparture() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        onDeparture()
        context.fireChannelInactive()
    }
}
