import Foundation
import Synchronization
import Testing

/// A listening socket of the tests: each connection gets a thread that may block. Closed when its test ends.
final class TCPListener: Sendable {
    let port: UInt16
    private let listening: Int32
    private let open = Mutex<Set<Int32>>([])

    /// - Parameter serve: what is done with a connection; it is closed afterwards.
    init(host: String = "127.0.0.1", serve: @escaping @Sendable (TCPListener, Int32) -> Void) throws {
        let listening = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.listening = listening
        var address = Self.address(host, 0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listening, $0, size) == 0 && getsockname(listening, $0, &size) == 0
            }
        }
        try #require(isBound && listen(listening, 64) == 0, "no socket on \(host)")
        port = UInt16(bigEndian: address.sin_port)
        TestEnd.current?.atEnd { [self] in
            cut()
            // Ends the accept.
            shutdown(listening, Int32(SHUT_RDWR))
        }
        Thread { [self] in
            while true {
                let connection = accept(listening, nil, nil)
                guard connection >= 0 else { break }
                track(connection)
                Thread { [self] in
                    serve(self, connection)
                    untrack(connection)
                }.start()
            }
            close(listening)
        }.start()
    }

    private static func address(_ host: String, _ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        inet_pton(AF_INET, host, &address.sin_addr)
        return address
    }

    private func track(_ descriptor: Int32) { _ = open.withLock { $0.insert(descriptor) } }

    private func untrack(_ descriptor: Int32) {
        _ = open.withLock { $0.remove(descriptor) }
        close(descriptor)
    }

    /// Ends all connections.
    func cut() { open.withLock { for descriptor in $0 { shutdown(descriptor, Int32(SHUT_RDWR)) } } }

    /// Passes everything on to a port, both ways, until one side ends; what does not get on is not read.
    ///
    /// - Parameters:
    ///   - altering: changes what the client said before it is passed on.
    ///   - answering: what is said to the client instead of passing on what it said, whose beginning it gets; nil passes it on.
    ///   - onAnswer: hears how many bytes of the server went on to the client.
    func relay(
        _ client: Int32, to port: UInt16, altering: @Sendable (inout [UInt8]) -> Void = { _ in },
        answering: @Sendable (ArraySlice<UInt8>) -> String? = { _ in nil },
        onAnswer: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        track(server)
        defer { untrack(server) }
        var address = Self.address("127.0.0.1", port)
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isConnected else { return }
        let back = DispatchSemaphore(value: 0)
        Thread {
            Self.copy(server, client, onAnswer)
            back.signal()
        }.start()
        Self.copy(client, server, altering: altering, answering: answering)
        back.wait()
    }

    private static func copy(
        _ source: Int32, _ sink: Int32, altering: (inout [UInt8]) -> Void = { _ in },
        answering: (ArraySlice<UInt8>) -> String? = { _ in nil }, _ onCopy: (Int) -> Void = { _ in }
    ) {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(source, &buffer, buffer.count)
            guard count > 0 else { break }
            if let answer = answering(buffer[..<count]) {
                say(Array(answer.utf8), to: source)
                // Whoever closes while the other still sends takes its answer back.
                while read(source, &buffer, buffer.count) > 0 {}
                break
            }
            var said = Array(buffer[..<count])
            altering(&said)
            guard say(said, to: sink) else { break }
            onCopy(count)
        }
        shutdown(source, Int32(SHUT_RDWR))
        shutdown(sink, Int32(SHUT_RDWR))
    }

    /// False when the other side does not take it.
    @discardableResult
    private static func say(_ bytes: [UInt8], to sink: Int32) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { send(sink, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }
}

/// Stands between a client or node and its server: can be cut, and counts what the server says.
final class TCPRelay: Sendable {
    private final class Switch: Sendable {
        let isCut = Mutex(false)
        let bytes = Atomic<Int>(0)
    }

    private let listener: TCPListener
    private let line: Switch

    init(to port: UInt16) throws {
        let line = Switch()
        self.line = line
        listener = try TCPListener { listener, client in
            if !line.isCut.withLock({ $0 }) {
                listener.relay(client, to: port, onAnswer: { line.bytes.add($0, ordering: .relaxed) })
            }
        }
    }

    var url: String { "http://127.0.0.1:\(listener.port)" }
    /// What the server has said so far.
    var bytes: Int { line.bytes.load(ordering: .relaxed) }

    func cut() {
        line.isCut.withLock { $0 = true }
        listener.cut()
    }

    /// Ends what is open; who comes back is let through.
    func interrupt() { listener.cut() }

    func mend() { line.isCut.withLock { $0 = false } }
}
