import Foundation
import Glibc
import Synchronization

/// Bytes that went through a relay in one direction.
final class Traffic: Sendable {
    private let count = Atomic<Int>(0)

    var bytes: Int { count.load(ordering: .relaxed) }

    func add(_ bytes: Int) {
        count.add(bytes, ordering: .relaxed)
    }
}

/// Stands between a node and its pivot, forwards every byte unchanged, and counts. Without a target it hangs up at once:
/// to the node the pivot is away.
final class TCPRelay: Sendable {
    let port: UInt16
    let towardsTarget = Traffic()
    let fromTarget = Traffic()

    private let listener: LoopbackSocket
    private let targetPort = Atomic<UInt16>(0)

    var totalBytes: Int { towardsTarget.bytes + fromTarget.bytes }

    init() throws {
        listener = try LoopbackSocket.listening()
        port = try listener.localPort()
        Thread.detachNewThread { [listener, weak self] in
            while let client = listener.accepted() {
                self?.serve(client)
            }
        }
    }

    deinit {
        listener.shutDown(SHUT_RDWR)
    }

    /// Nil: the target is away.
    func setTarget(_ port: UInt16?) {
        targetPort.store(port ?? 0, ordering: .relaxed)
    }

    private func serve(_ client: LoopbackSocket) {
        let target = targetPort.load(ordering: .relaxed)
        guard target != 0, let server = try? LoopbackSocket.connected(to: target) else { return }
        Self.forward(from: client, to: server, counting: towardsTarget)
        Self.forward(from: server, to: client, counting: fromTarget)
    }

    /// A thread of its own for each direction: the connections of one node are few.
    private static func forward(from source: LoopbackSocket, to sink: LoopbackSocket, counting traffic: Traffic) {
        Thread.detachNewThread {
            var buffer = [UInt8](repeating: 0, count: 1 << 18)
            while true {
                let count = buffer.withUnsafeMutableBytes { try? source.receive(into: $0, waiting: true) }
                guard let count, count > 0 else { break }
                traffic.add(count)
                guard (try? buffer.withUnsafeBytes({ try sink.send(.init(rebasing: $0[..<count])) })) != nil else { break }
            }
            sink.shutDown(SHUT_WR)
            source.shutDown(SHUT_RD)
        }
    }
}
