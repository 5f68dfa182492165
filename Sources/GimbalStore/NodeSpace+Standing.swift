import GimbalReplication
import Synchronization

/// How a node stands towards its pivot, as its replication client finds it.
extension NodeSpace {
    /// What keeps this node from replicating; nil also while the pivot is merely away.
    public var fault: NodeFault? {
        published.withLock { state in
            state.fault ?? state.connection.fault ?? (state.outboxCount > 0 ? state.connection.pushFault : nil)
        }
    }

    /// What the core holds against the pivot.
    public var coreFault: NodeFault? { published.withLock { $0.fault } }

    /// Whether the pivot's log comes as it grows.
    public var isFollowing: Bool { published.withLock { $0.connection.isFollowing } }

    /// Shows how the connection to the pivot stands.
    ///
    /// - Returns: how it stood before.
    @discardableResult
    public func show(_ standing: ConnectionStanding) -> ConnectionStanding {
        published.withLock { state in
            defer { state.connection = standing }
            return state.connection
        }
    }

    // MARK: A pivot change

    /// Serves nothing until `release`: it is not known yet whether this is still the space that is wanted.
    public func hold() { published.withLock { $0.isHeld = true } }

    public func release() { published.withLock { $0.isHeld = false } }

    /// After `sealOutbox`: the space is not left after all, and takes writes again.
    public func stays() { published.withLock { $0.isLeft = false } }
}
