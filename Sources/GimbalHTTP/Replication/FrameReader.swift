import GimbalWire
import NIOCore

/// Takes a stream of chunks apart into the frames of `ReplicationPath.frame`.
struct FrameReader {
    private var buffer = ByteBuffer()

    mutating func append(_ chunk: ByteBuffer) {
        var chunk = chunk
        buffer.writeBuffer(&chunk)
    }

    /// The next whole frame; nil until more has come.
    mutating func next() throws(WireError) -> [UInt8]? {
        guard let length = buffer.getInteger(at: buffer.readerIndex, as: UInt32.self) else { return nil }
        guard length <= UInt32(Page.hardMaximumBytes) else {
            throw WireError(.tooLarge, at: 0, "frame: at most \(Page.hardMaximumBytes) bytes")
        }
        guard buffer.readableBytes >= 4 + Int(length) else { return nil }
        buffer.moveReaderIndex(forwardBy: 4)
        let bytes = buffer.readBytes(length: Int(length)) ?? []
        buffer.discardReadBytes()
        return bytes
    }
}
