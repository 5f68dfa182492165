import Foundation
import Testing

/// A socket that says exactly what it is told to. A server that stalls fails its test instead of stopping it.
final class RawConnection: Sendable {
    private let descriptor: Int32

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(connected == 0, "connect: \(String(cString: strerror(errno)))")
        var patience = timeval(tv_sec: 15, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    /// All of it, unless the server closes.
    ///
    /// - Parameter pieces: bytes of one write; nil for as many as it takes.
    func write(_ text: String, pieces: Int? = nil) throws {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.prefix(pieces ?? rest.count).withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    /// Ends this side.
    func end() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// What comes until the other side ends, or all up to a text.
    func read(until mark: String? = nil) throws -> String {
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            if let mark, String(decoding: answer, as: UTF8.self).contains(mark) { break }
            let count = Foundation.read(descriptor, &buffer, buffer.count)
            guard count > 0 else {
                try #require(count == 0 || errno != EAGAIN, "the server neither answers nor closes: \(answer.count) bytes came")
                break
            }
            answer += buffer[..<count]
        }
        return String(decoding: answer, as: UTF8.self)
    }

    static func exchange(_ text: String, port: Int, endsAfterwards: Bool = true, pieces: Int? = nil) throws -> String {
        let connection = try RawConnection(port: port)
        try connection.write(text, pieces: pieces)
        if endsAfterwards { connection.end() }
        return try connection.read()
    }

    /// Says a text byte by byte, ten a second. Returns whether the server closed before its end.
    static func drip(_ text: String, port: Int) throws -> Bool {
        let connection = try RawConnection(port: port)
        for byte in text.utf8 {
            usleep(100_000)
            let count = withUnsafeBytes(of: byte) { send(connection.descriptor, $0.baseAddress, 1, Int32(MSG_NOSIGNAL)) }
            if count < 0 { return true }
        }
        return false
    }
}
