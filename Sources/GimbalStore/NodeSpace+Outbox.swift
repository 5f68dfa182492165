import GimbalCRDT
import GimbalReplication

/// What waits for the pivot, read from the storage.
extension NodeSpace {
    /// The first operations of the outbox, in the order in which they were written.
    public func outbox(limit: Int) throws(StoreError) -> [PendingOperation] {
        try SpaceLoader(view: engine).pending(from: 0, byteLimit: .max, countLimit: limit)
    }

    /// When the oldest of them was written, by this node's clock.
    public func oldestPending() throws(StoreError) -> HybridTimestamp? {
        try SpaceLoader(view: engine).pending(from: 0, byteLimit: 1).first?.stamp
    }
}
