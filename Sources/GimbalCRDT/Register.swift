/// Which of several concurrent writes does a single key show? The greatest one, a deletion being a write like any other.
///
/// An LWW-register (M. Shapiro, N. Preguiça et al., "A comprehensive study of Convergent and Commutative Replicated Data
/// Types", INRIA 7506, 2011, §3.2.1) whose order is total (`Write.precedes`). Deletions are kept: a name and a stamp.
public struct Register: Hashable, Sendable {
    public private(set) var write: Write

    public init(_ write: Write) { self.write = write }

    /// Nil when the register is deleted.
    public var value: [UInt8]? { write.value }

    /// The greater write stays.
    @inlinable
    public mutating func apply(_ incoming: Write) {
        if write.precedes(incoming) { replace(with: incoming) }
    }

    @usableFromInline
    mutating func replace(with incoming: Write) { write = incoming }

    public func joined(_ other: Register) -> Register {
        if write.dot == other.write.dot { return Register(write.reconciled(with: other.write)) }
        return write.precedes(other.write) ? other : self
    }
}
