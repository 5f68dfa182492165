/// How far one replica's chain of deltas is known: the highest contiguous sequence, and the hash of the header that ends there.
public struct Head: Hashable, Sendable {
    public var sequence: UInt64
    public var headerHash: Digest

    @inlinable
    public init(sequence: UInt64, headerHash: Digest) {
        self.sequence = sequence
        self.headerHash = headerHash
    }

    /// Before the first delta.
    @inlinable public static var none: Head { Head(sequence: 0, headerHash: .zero) }
}

/// The causal context of a whole space: for each replica, its head. Everything up to it has been applied.
public struct VersionVector: Equatable, Sendable {
    public private(set) var heads: [ReplicaID: Head]

    public init(heads: [ReplicaID: Head] = [:]) {
        self.heads = heads.filter { $0.value.sequence > 0 }
    }

    /// The head of a replica, `.none` for one never heard of.
    public subscript(replica: ReplicaID) -> Head { heads[replica] ?? .none }

    public func covers(_ dot: Dot) -> Bool { dot.sequence <= self[dot.replica].sequence }

    /// Moves a replica's head forward.
    public mutating func advance(_ replica: ReplicaID, to head: Head) {
        precondition(head.sequence > self[replica].sequence, "a head only moves forward")
        heads[replica] = head
    }

    /// The pointwise maximum.
    public mutating func merge(_ other: VersionVector) {
        for (replica, head) in other.heads where head.sequence > self[replica].sequence {
            heads[replica] = head
        }
    }

    /// In the order of replicas: the order of every encoding.
    public var sorted: [(replica: ReplicaID, head: Head)] {
        heads.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }
}
