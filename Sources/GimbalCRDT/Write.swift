/// What one accepted operation left on a path: a register's value or deletion, or a live dot of a member.
public struct Write: Hashable, Sendable {
    public var dot: Dot
    /// The effective stamp: the smaller of the writer's stamp and the cap that the pivot set.
    public var stamp: HybridTimestamp
    /// The effective stamp of the first write of the present life; equal to `stamp` when this is the first.
    public var created: HybridTimestamp
    /// Hash of the operation's bytes, the last tie-break, so that the order is total, content included.
    public var operationHash: Digest
    /// JSON text as it was written; nil in a deleted register.
    public var value: [UInt8]?

    @inlinable
    public init(
        dot: Dot, stamp: HybridTimestamp, created: HybridTimestamp, operationHash: Digest, value: [UInt8]?
    ) {
        self.dot = dot
        self.stamp = stamp
        self.created = created
        self.operationHash = operationHash
        self.value = value
    }

    /// The one order by which everything that must choose compares: effective stamp, replica, sequence, operation hash.
    @inlinable
    public func precedes(_ other: Write) -> Bool {
        if stamp != other.stamp { return stamp < other.stamp }
        if dot != other.dot { return dot < other.dot }
        return operationHash < other.operationHash
    }

    /// The two sides of one dot made one: the smaller effective stamp stays.
    func reconciled(with other: Write) -> Write {
        precondition(dot == other.dot, "only one dot can be reconciled with itself")
        if stamp != other.stamp { return stamp < other.stamp ? self : other }
        if created != other.created { return created < other.created ? self : other }
        return operationHash <= other.operationHash ? self : other
    }
}
