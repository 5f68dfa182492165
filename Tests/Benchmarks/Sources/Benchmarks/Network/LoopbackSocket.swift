import Glibc

/// A TCP socket on 127.0.0.1 that closes itself. Writes are sent at once (no Nagle), children do not inherit it.
final class LoopbackSocket: Sendable {
    let descriptor: Int32

    private init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
    }

    static func connected(to port: UInt16) throws -> LoopbackSocket {
        let socket = try unconnected()
        let result = withLoopbackAddress(port: port) { connect(socket.descriptor, $0, $1) }
        guard result == 0 else { throw BenchmarkFailure.systemCall("connect to port \(port)", errorNumber: errno) }
        socket.setOption(level: Int32(IPPROTO_TCP), name: TCP_NODELAY)
        return socket
    }

    /// Listens on a port that the kernel chooses.
    static func listening() throws -> LoopbackSocket {
        let socket = try unconnected()
        socket.setOption(level: SOL_SOCKET, name: SO_REUSEADDR)
        let result = withLoopbackAddress(port: 0) { bind(socket.descriptor, $0, $1) }
        guard result == 0 else { throw BenchmarkFailure.systemCall("bind", errorNumber: errno) }
        guard listen(socket.descriptor, 64) == 0 else { throw BenchmarkFailure.systemCall("listen", errorNumber: errno) }
        return socket
    }

    /// A port that was free a moment ago, for servers that cannot choose one themselves.
    static func freePort() throws -> UInt16 {
        try listening().localPort()
    }

    /// Nil when the socket was shut down.
    func accepted() -> LoopbackSocket? {
        let accepted = accept(descriptor, nil, nil)
        guard accepted >= 0 else { return nil }
        _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
        let socket = LoopbackSocket(descriptor: accepted)
        socket.setOption(level: Int32(IPPROTO_TCP), name: TCP_NODELAY)
        return socket
    }

    func localPort() throws -> UInt16 {
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        guard result == 0 else { throw BenchmarkFailure.systemCall("getsockname", errorNumber: errno) }
        return UInt16(bigEndian: address.sin_port)
    }

    func setReceiveTimeout(seconds: Int) {
        var timeout = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    /// Waits until the kernel has taken all bytes. A request is far smaller than a socket's buffer, so with one request in
    /// flight this never waits.
    func send(_ bytes: UnsafeRawBufferPointer) throws {
        var sent = 0
        while sent < bytes.count {
            let count = Glibc.send(
                descriptor, bytes.baseAddress?.advanced(by: sent), bytes.count - sent, Int32(MSG_NOSIGNAL))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw BenchmarkFailure.systemCall("send", errorNumber: errno) }
            sent += count
        }
    }

    /// The number of bytes read, 0 at the end of the stream, nil when there is nothing to read now.
    func receive(into buffer: UnsafeMutableRawBufferPointer, waiting: Bool) throws -> Int? {
        while true {
            let count = recv(descriptor, buffer.baseAddress, buffer.count, waiting ? 0 : Int32(MSG_DONTWAIT))
            if count >= 0 { return count }
            switch errno {
            case EINTR: try Interruption.check()
            case EAGAIN: return nil
            default: throw BenchmarkFailure.systemCall("recv", errorNumber: errno)
            }
        }
    }

    func shutDown(_ direction: Int) {
        _ = shutdown(descriptor, Int32(direction))
    }

    private static func unconnected() throws -> LoopbackSocket {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(AF_INET, type, 0)
        guard descriptor >= 0 else { throw BenchmarkFailure.systemCall("socket", errorNumber: errno) }
        return LoopbackSocket(descriptor: descriptor)
    }

    private func setOption(level: Int32, name: Int32) {
        var on: Int32 = 1
        setsockopt(descriptor, level, name, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    private static func withLoopbackAddress(
        port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
