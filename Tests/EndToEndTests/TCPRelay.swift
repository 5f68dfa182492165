import NIOCore
import NIOPosix
import Synchronization

/// Stands between a client and a server: counts what the server says, and cuts connections.
final class TCPRelay: Sendable {
    private let listener: any Channel
    private let shared: Shared

    fileprivate struct Shared: Sendable {
        let target: SocketAddress
        let counts = Counts()
    }

    fileprivate final class Counts: Sendable {
        let bytes = Atomic<Int>(0)
        let channels = Mutex<[any Channel]>([])
    }

    /// - Parameter url: of the server.
    init(to url: String) async throws {
        let parts = url.split(separator: ":")
        let target = try SocketAddress(ipAddress: "127.0.0.1", port: Int(parts[parts.count - 1]) ?? 0)
        let shared = Shared(target: target)
        self.shared = shared
        listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { Self.join($0, shared) }
            .bind(host: "127.0.0.1", port: 0).get()
        TestEnd.current?.atEnd { [listener] in listener.close(promise: nil) }
    }

    var url: String { "http://127.0.0.1:\(listener.localAddress?.port ?? 0)" }

    /// What the server has said so far, in bytes that the client took.
    var bytes: Int { shared.counts.bytes.load(ordering: .relaxed) }

    func cutAll() {
        for channel in shared.counts.channels.withLock({ channels in channels }) { channel.close(promise: nil) }
    }

    private static func join(_ client: any Channel, _ shared: Shared) -> EventLoopFuture<Void> {
        let loop = client.eventLoop
        return ClientBootstrap(group: loop).channelOption(.autoRead, value: false).connect(to: shared.target).flatMap { server in
            shared.counts.channels.withLock { $0 += [client, server] }
            return loop.makeCompletedFuture {
                try server.pipeline.syncOperations.addHandler(Glue(to: client, counting: shared.counts))
                try client.pipeline.syncOperations.addHandler(Glue(to: server, counting: nil))
            }
        }.map {
            client.read()
        }
    }

    /// Passes on what it reads, and reads more when that was taken.
    private final class Glue: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let other: any Channel
        private let counts: Counts?

        init(to other: any Channel, counting counts: Counts?) {
            self.other = other
            self.counts = counts
        }

        func handlerAdded(context: ChannelHandlerContext) { if context.channel.isActive { context.read() } }

        func channelActive(context: ChannelHandlerContext) { context.read() }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let buffer = unwrapInboundIn(data)
            let count = buffer.readableBytes
            let bound = NIOLoopBound((context, counts), eventLoop: context.eventLoop)
            other.writeAndFlush(buffer).whenComplete { _ in
                let (context, counts) = bound.value
                counts?.bytes.add(count, ordering: .relaxed)
                context.read()
            }
        }

        func channelInactive(context: ChannelHandlerContext) { other.close(promise: nil) }
    }
}
