import Foundation
import HummingbirdCore
import Logging
import Synchronization

/// How many connections an address takes at once. When all places are taken nobody is accepted until one is free: a new client
/// waits in the kernel's queue, and the descriptors that are kept back stay with the storage and the operator's socket.
struct ConnectionPlaces: AvailableConnectionsDelegate {
    private let desk: Desk

    init(_ limit: Int, logger: Logger) { desk = Desk(limit, logger) }

    var limit: Int { desk.limit }
    /// Whether somebody may be waiting for a place.
    var isFull: Bool { desk.open.load(ordering: .relaxed) >= desk.limit }

    mutating func connectionOpened() { desk.opened() }
    mutating func connectionClosed() { desk.closed() }
    func isAcceptingNewConnections() -> Bool { !isFull }

    private final class Desk: Sendable {
        let limit: Int
        let open = Atomic<Int>(0)
        private let logger: Logger
        /// Whether the operator was told that there is no place left.
        private let hasSaid = Atomic<Bool>(false)

        init(_ limit: Int, _ logger: Logger) {
            self.limit = limit
            self.logger = logger
        }

        func opened() {
            let count = open.add(1, ordering: .relaxed).newValue
            guard count >= limit, !hasSaid.exchange(true, ordering: .relaxed) else { return }
            logger.warning(
                "all places for connections are taken: new ones wait until one ends", metadata: ["maxConnections": "\(limit)"])
        }

        func closed() {
            let count = open.subtract(1, ordering: .relaxed).newValue
            // Not at each one that comes and goes.
            if count <= limit / 2, hasSaid.exchange(false, ordering: .relaxed) {
                logger.notice("there are places for connections again", metadata: ["open": "\(count)"])
            }
        }
    }
}

/// The descriptors that the process may have.
enum Descriptors {
    /// For the operator's socket, connections to pivots, logs and what libraries open.
    private static let reserved = 128

    /// Raises the limit as far as the system lets everybody: distributions keep the usual one low for programs that use
    /// `select`. What was given to the process as the hard limit is its operator's decision.
    static func raiseLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
        // A limit without end is no number that the kernel takes for files.
        limit.rlim_cur = min(limit.rlim_max, 1 << 20)
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    static var limit: Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
        return Int(clamping: limit.rlim_cur)
    }

    /// How many may be connections, and how many data files each database may keep open, so that neither takes the other's.
    static func shares(databases: Int, openFiles: Int, limit: Int = limit) -> (connections: Int, openFiles: Int) {
        // Each database has some files beside those with data.
        let wanted = reserved + databases * (openFiles + 16)
        let connections = max(limit - wanted, limit / 4, 4)
        let left = limit - connections - reserved / 2
        return (connections, min(openFiles, max(left / max(databases, 1) - 16, 20)))
    }
}
