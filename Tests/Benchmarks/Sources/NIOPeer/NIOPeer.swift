import ArgumentParser
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix

/// The peer of Gimbal's GET: the least that a SwiftNIO server can do and still be HTTP/1.1. It answers every request with
/// the same 200 and the same bytes, from memory; whatever Gimbal costs above it is Gimbal's own.
@main
struct NIOPeer: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nio-peer",
        abstract: "A bare SwiftNIO HTTP/1.1 server that answers every request with the same JSON bytes.")

    @Option(help: "The port on 127.0.0.1; 0 takes any free one.")
    var port = 0

    @Option(help: "How many event loops serve.")
    var loops = 1

    @Option(help: "The body of every answer.")
    var body = "{}"

    func run() throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: loops)
        let answer = FixedAnswer(body: body)
        let server = try ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    // Nothing that a load generator with one request in flight has no use for.
                    try pipeline.configureHTTPServerPipeline(
                        withPipeliningAssistance: false, withErrorHandling: false, withOutboundHeaderValidation: false)
                    try pipeline.addHandler(FixedAnswerHandler(answer: answer))
                }
            }
            .bind(host: "127.0.0.1", port: port)
            .wait()
        announce(port: server.localAddress?.port ?? port)
        try server.closeFuture.wait()
    }

    /// The same first line as Gimbal's servers, so that one piece of code can start them all.
    private func announce(port: Int) {
        var line = "listening on 127.0.0.1:\(port)\n"
        line.withUTF8 { bytes in
            _ = write(STDOUT_FILENO, bytes.baseAddress, bytes.count)
        }
    }
}
