import NIOCore
import NIOWebSocket

/// WebSocket frames from a server (RFC 6455 §5.2): never masked, so one encoding serves every client.
enum ServerFrame {
    /// A buffer that holds the frame's head and has room for its payload.
    static func begin(_ opcode: WebSocketOpcode, payloadBytes: Int) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(payloadBytes + 10)
        buffer.writeInteger(UInt8(0x80) | UInt8(webSocketOpcode: opcode))
        switch payloadBytes {
        case ..<126: buffer.writeInteger(UInt8(payloadBytes))
        case ...Int(UInt16.max):
            buffer.writeInteger(UInt8(126))
            buffer.writeInteger(UInt16(payloadBytes))
        default:
            buffer.writeInteger(UInt8(127))
            buffer.writeInteger(UInt64(payloadBytes))
        }
        return buffer
    }

    static func make(_ opcode: WebSocketOpcode, _ payload: ByteBuffer) -> ByteBuffer {
        var buffer = begin(opcode, payloadBytes: payload.readableBytes)
        buffer.writeImmutableBuffer(payload)
        return buffer
    }

    /// What `begin` made room for.
    static func payload(of frame: ByteBuffer) -> ByteBuffer {
        var frame = frame
        let head =
            switch frame.getInteger(at: frame.readerIndex + 1, as: UInt8.self) {
            case 126: 4
            case 127: 10
            default: 2
            }
        frame.moveReaderIndex(forwardBy: head)
        return frame
    }

    static func close(_ code: WebSocketErrorCode, _ reason: String) -> ByteBuffer {
        var payload = ByteBuffer()
        payload.write(webSocketErrorCode: code)
        payload.writeString(reason)
        return make(.connectionClose, payload)
    }
}
