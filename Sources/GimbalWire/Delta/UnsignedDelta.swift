import GimbalCRDT

/// A delta that shows what its header says, but whose signature nobody has checked here: one of this server's own log, which
/// was verified when it came in, or one of a snapshot, whose state is proven by a digest first and by signatures later.
///
/// Replication does not accept it: only a `VerifiedDelta` gets into a log.
public struct UnsignedDelta: Sendable {
    private let delta: VerifiedDelta

    public var header: DeltaHeader { delta.header }
    public var headerHash: Digest { delta.headerHash }
    public var sealed: SealedDelta { delta.sealed }

    /// Throws when the operations that are shown do not hash to the header's root.
    public init(_ sealed: SealedDelta, _ primitives: any Primitives) throws(WireError) {
        delta = try VerifiedDelta(unsigned: sealed, primitives)
    }

    public func isShown(_ index: Int) -> Bool { delta.isShown(index) }

    public var shownCount: Int { (0..<header.count).count { delta.isShown($0) } }

    /// A shown operation; nil when it is hidden.
    public func operation(_ index: Int) throws(WireError) -> Operation? { try delta.operation(index) }

    /// The same delta with only some of its shown operations shown. Its signature is the same.
    public func pruned(keeping isKept: (Int) -> Bool, _ primitives: any Primitives) -> SealedDelta {
        delta.pruned(keeping: isKept, primitives).sealed
    }

    /// What a shown operation does to the state, without the copies and checks of a whole operation. `nil` when it is hidden.
    public func outline(_ index: Int) throws(WireError) -> OperationOutline? {
        guard let range = delta.operationRange(index), let hash = delta.operationHash(index) else { return nil }
        return try OperationOutline(sealed.bytes, in: range, hash: hash)
    }
}

/// The parts of an operation that a state keeps, as places in the delta's bytes.
public struct OperationOutline: Sendable {
    public let hash: Digest
    public let stampOffset: UInt64
    public let path: Range<Int>
    /// Nil for a deletion.
    public let value: Range<Int>?
    /// As the operation has it: zero for the first write of a life.
    public let created: HybridTimestamp
    /// Whether the operation leaves something at its path: all but a member's removal do.
    public let leavesWrite: Bool

    init(_ bytes: [UInt8], in range: Range<Int>, hash: Digest) throws(WireError) {
        self.hash = hash
        var reader = CBORReader(bytes, in: range)
        _ = try reader.arrayCount(upTo: 6, "fields of an operation")
        let kind = try reader.unsigned()
        stampOffset = try reader.unsigned()
        path = try reader.textRange()
        switch kind {
        case 1, 3:
            value = try reader.textRange()
            created = try reader.stamp()
        case 2, 4:
            value = nil
            created = .zero
        default: throw WireError(.unknownKind, at: range.lowerBound)
        }
        leavesWrite = kind != 4
    }
}
