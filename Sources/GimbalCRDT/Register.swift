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

    /// What is left of two sides that went apart. A side that accepted the other's write and holds another one has replaced
    /// it: the replacement stays, even where the other side put a later cap on what it replaced. If each side has replaced the
    /// other's write, two caps made them disagree, and the smaller one stays: it is the greater that owes its place to a later
    /// cap. Otherwise the greater one stays. One dot keeps the smaller of its stamps.
    ///
    /// - Parameters:
    ///   - other: the other side, of the same path.
    ///   - isReplacedHere: whether this side has accepted a dot.
    ///   - isReplacedThere: the same of the other side.
    public func joined(
        _ other: Register, isReplacedHere: (Dot) -> Bool, isReplacedThere: (Dot) -> Bool
    ) -> Register {
        if write.dot == other.write.dot { return Register(write.reconciled(with: other.write)) }
        let (smaller, greater) = write.precedes(other.write) ? (self, other) : (other, self)
        switch (isReplacedThere(write.dot), isReplacedHere(other.write.dot)) {
        case (true, false): return other
        case (false, true): return self
        case (true, true): return smaller
        case (false, false): return greater
        }
    }
}
