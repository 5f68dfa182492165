import GimbalClient
import NIOCore
import NIOWebSocket
import Testing

/// What a WebSocket frame must not be, at either end. Servers meet bad frames of clients in Tests/Clients/check_websocket.py.
struct FrameRulesTests {
    private static func frame(
        _ opcode: WebSocketOpcode, isLast: Bool = true, rsv: Int = 0, isMasked: Bool = false
    ) -> WebSocketFrame {
        WebSocketFrame(
            fin: isLast, rsv1: rsv == 1, rsv2: rsv == 2, rsv3: rsv == 3, opcode: opcode, maskKey: isMasked ? .random() : nil,
            data: ByteBuffer())
    }

    /// Whether each of these frames of a server may come behind those before it.
    private static func judged(_ frames: [WebSocketFrame], isFromClient: Bool = false) -> [Bool] {
        var rules = FrameRules()
        return frames.map { frame in (try? rules.check(frame, isFromClient: isFromClient)) != nil }
    }

    @Test("clients mask their frames and servers do not, no reserved bit is set, and every kind is known")
    func singleFrames() {
        #expect(
            Self.judged([Self.frame(.binary), Self.frame(.ping), Self.frame(.pong), Self.frame(.text)]) == [
                true, true, true, true,
            ])
        #expect(Self.judged([Self.frame(.binary, isMasked: true)]) == [false])
        #expect(Self.judged([Self.frame(.binary)], isFromClient: true) == [false])
        #expect(Self.judged([Self.frame(.binary, isMasked: true)], isFromClient: true) == [true])
        for bit in 1...3 { #expect(Self.judged([Self.frame(.binary, rsv: bit)]) == [false]) }
        for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
            guard let opcode = WebSocketOpcode(encodedWebSocketOpcode: UInt8(opcode)) else { continue }
            #expect(Self.judged([Self.frame(opcode)]) == [false])
        }
    }

    @Test("a message in parts is begun once and goes on until its end")
    func parts() {
        let (first, next, last) = (
            Self.frame(.binary, isLast: false), Self.frame(.continuation, isLast: false), Self.frame(.continuation)
        )
        #expect(Self.judged([first, next, Self.frame(.ping), last, first]) == [true, true, true, true, true])
        #expect(Self.judged([last]) == [false])
        #expect(Self.judged([first, first]) == [true, false])
        #expect(Self.judged([first, last, last]) == [true, true, false])
    }

    @Test("a closing is said back with its code; one that nobody may send is refused")
    func closings() throws {
        #expect(try FrameRules.reply(toClosing: ByteBuffer()).readableBytes == 0)
        for code: UInt16 in [1000, 1003, 1007, 1014, 3000, 4999] {
            var payload = ByteBuffer(integer: code)
            payload.writeString("bye")
            #expect(try FrameRules.reply(toClosing: payload) == ByteBuffer(integer: code))
        }
        for code: UInt16 in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535] {
            #expect(throws: FrameRules.Violation.self) { try FrameRules.reply(toClosing: ByteBuffer(integer: code)) }
        }
        #expect(throws: FrameRules.Violation.self) { try FrameRules.reply(toClosing: ByteBuffer(bytes: [3])) }
        #expect(throws: FrameRules.Violation.self) { try FrameRules.reply(toClosing: ByteBuffer(bytes: [3, 232, 0xff])) }
    }
}
