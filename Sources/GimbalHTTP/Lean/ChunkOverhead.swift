import NIOCore
import NIOHTTP1

/// Bounds what a chunked body has beside its content: the decoder skips extensions of any length without a word (RFC 9112
/// §7.1.1). It stands before the decoder, and is told what comes out of it.
final class ChunkOverhead: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    /// Bytes that a body may have for nothing.
    private static let free = 16 << 10
    /// And for each of its parts, which are at least as many as its chunks.
    private static let perPart = 16

    private var credit = 0
    private var isCounting = false
    /// The number of the body that is counted.
    private var body = 0

    /// A chunked body begins: what still comes in this read is not counted.
    func begin() {
        credit = Self.free
        isCounting = true
        body &+= 1
    }

    func take(_ bytes: Int) { credit += bytes * 3 + Self.perPart }

    func end() { isCounting = false }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let (wasCounting, before) = (isCounting, body)
        let count = unwrapInboundIn(data).readableBytes
        context.fireChannelRead(data)
        guard wasCounting, isCounting, body == before else { return }
        credit -= count
        guard credit < 0 else { return }
        isCounting = false
        context.fireErrorCaught(HTTPParserError.invalidChunkSize)
    }
}
