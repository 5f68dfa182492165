import NIOCore
import NIOWebSocket

/// What a WebSocket frame must not be (RFC 6455 §5), the same for both ends.
package struct FrameRules {
    package struct Violation: Error {
        package var code: WebSocketErrorCode
        package var sentence: String
    }

    /// Whether a message in parts is under way.
    private var isInMessage = false

    package init() {}

    /// - Parameter isFromClient: clients mask their frames, servers do not.
    package mutating func check(_ frame: WebSocketFrame, isFromClient: Bool) throws(Violation) {
        guard (frame.maskKey != nil) == isFromClient else {
            throw Self.violation(isFromClient ? "a client masks its frames" : "a server masks no frame")
        }
        guard !frame.rsv1, !frame.rsv2, !frame.rsv3 else { throw Self.violation("a reserved bit is set") }
        switch frame.opcode {
        case .text, .binary:
            guard !isInMessage else { throw Self.violation("a message begins inside of another") }
            isInMessage = !frame.fin
        case .continuation:
            guard isInMessage else { throw Self.violation("nothing is under way that goes on") }
            isInMessage = !frame.fin
        case .ping, .pong, .connectionClose: break
        default: throw Self.violation("an unknown kind of frame")
        }
    }

    /// What is said back to a closing: its code, or nothing where it had none.
    package static func reply(toClosing payload: ByteBuffer) throws(Violation) -> ByteBuffer {
        guard payload.readableBytes > 0 else { return payload }
        var reason = payload
        guard let code = reason.readInteger(as: UInt16.self), mayBeSent(code) else {
            throw violation("no code with which one closes")
        }
        guard String(validating: reason.readableBytesView, as: UTF8.self) != nil else {
            throw Violation(code: .dataInconsistentWithMessage, sentence: "a reason is text")
        }
        return ByteBuffer(integer: code)
    }

    /// Of the others some are for a program's own use, as 1006, and most are nobody's (§7.4).
    private static func mayBeSent(_ code: UInt16) -> Bool {
        switch code {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }

    private static func violation(_ sentence: String) -> Violation { Violation(code: .protocolError, sentence: sentence) }
}
