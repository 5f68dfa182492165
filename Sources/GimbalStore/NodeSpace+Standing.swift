import GimbalReplication
import GimbalWire
import Synchronization

/// How a node stands towards its pivot, as its replication client finds it.
extension NodeSpace {
    /// What keeps this node from replicating; nil also while the pivot is merely away.
    public var fault: NodeFault? {
        published.withLock { state in
            state.fault ?? state.connectionFault ?? (state.outboxCount > 0 ? state.pushFault : nil)
        }
    }

    /// What keeps the pivot's log from coming, whatever becomes of the pushes.
    public var fetchFault: NodeFault? { published.withLock { $0.fault ?? $0.connectionFault } }

    /// Shows why the pivot does not serve this node; nil when it does.
    ///
    /// - Returns: whether that is news.
    public func show(connectionFault fault: NodeFault?) -> Bool {
        published.withLock { state in
            defer { state.connectionFault = fault }
            return state.connectionFault != fault
        }
    }

    /// Shows why pushes do not arrive; nil when they do.
    ///
    /// - Returns: whether that is news.
    public func show(pushFault fault: NodeFault?) -> Bool {
        published.withLock { state in
            defer { state.pushFault = fault }
            return state.pushFault != fault
        }
    }

    /// Whether everything that the pivot had at a place is here.
    public func holds(_ place: Cursor) -> Bool { Self.isAt(cursor, place) }

    // MARK: A pivot change

    /// Serves nothing until `release`: it is not known yet whether this is still the space that is wanted.
    public func hold() { published.withLock { $0.isHeld = true } }

    public func release() { published.withLock { $0.isHeld = false } }

    /// After `sealOutbox`: the space is not left after all, and takes writes again.
    public func stays() { published.withLock { $0.isLeft = false } }
}
