import GimbalCRDT

/// What the one signature of a delta covers: whose operations, which, after which, and their Merkle root.
public struct DeltaHeader: Hashable, Sendable {
    static let type = "gimbal.delta.1"

    /// Another replica whose dots the operations observe.
    public struct Observed: Hashable, Sendable {
        public var replica: ReplicaID
        /// The greatest of its sequences that any operation observes.
        public var greatestSequence: UInt64

        public init(replica: ReplicaID, greatestSequence: UInt64) {
            self.replica = replica
            self.greatestSequence = greatestSequence
        }
    }

    public var space: SpaceID
    public var replica: ReplicaID
    public var firstSequence: UInt64
    public var count: Int
    /// The stamp of the first operation; the others carry their offset from it.
    public var stamp: HybridTimestamp
    /// Hash of this replica's previous header, zero for the first of an incarnation.
    public var previous: Digest
    /// Sorted by replica, without the delta's own. An operation's replica index k is entry k, from 0.
    public var observed: [Observed]
    public var root: Digest

    public init(
        space: SpaceID, replica: ReplicaID, firstSequence: UInt64, count: Int, stamp: HybridTimestamp,
        previous: Digest, observed: [Observed], root: Digest
    ) {
        self.space = space
        self.replica = replica
        self.firstSequence = firstSequence
        self.count = count
        self.stamp = stamp
        self.previous = previous
        self.observed = observed
        self.root = root
    }

    public var lastSequence: UInt64 { firstSequence + UInt64(count) - 1 }

    public func dot(at index: Int) -> Dot { Dot(replica: replica, sequence: firstSequence + UInt64(index)) }

    /// Nil when the index is not in the table, or the sequence beyond what the table admits.
    public func dot(of observed: Operation.Observed) -> Dot? {
        guard self.observed.indices.contains(observed.replicaIndex) else { return nil }
        let entry = self.observed[observed.replicaIndex]
        guard observed.sequence <= entry.greatestSequence else { return nil }
        return Dot(replica: entry.replica, sequence: observed.sequence)
    }

    public var encoded: [UInt8] {
        var writer = CBORWriter(reserving: 200)
        writer.array(count: 10)
        writer.text(Self.type)
        writer.byteString(space)
        writer.byteString(replica.author)
        writer.unsigned(replica.incarnation)
        writer.unsigned(firstSequence)
        writer.unsigned(count)
        writer.stamp(stamp)
        writer.byteString(previous)
        writer.array(count: observed.count)
        for entry in observed {
            writer.array(count: 3)
            writer.byteString(entry.replica.author)
            writer.unsigned(entry.replica.incarnation)
            writer.unsigned(entry.greatestSequence)
        }
        writer.byteString(root)
        return writer.bytes
    }

    public init(decoding bytes: [UInt8]) throws(WireError) { try self.init(decoding: bytes, in: bytes.indices) }

    /// Decodes the header in `range`.
    init(decoding bytes: [UInt8], in range: Range<Int>) throws(WireError) {
        var reader = CBORReader(bytes, in: range)
        try reader.array(of: 10)
        try reader.type(Self.type)
        space = try reader.fixed(SpaceID.self)
        replica = try Self.replica(&reader)
        let sequenceStart = reader.offset
        firstSequence = try reader.ordinal()
        count = try reader.count(upTo: Limits.hardMaximumOperationsPerDelta, "operations in a delta")
        guard firstSequence > 0, count > 0 else {
            throw WireError(.inconsistent, at: sequenceStart, "sequences from 1, at least one operation")
        }
        guard firstSequence + UInt64(count) <= Limits.ordinalLimit else {
            throw WireError(.tooLarge, at: sequenceStart, "sequences: below 2^62")
        }
        stamp = try reader.stamp()
        let previousStart = reader.offset
        previous = try reader.fixed(Digest.self)
        guard (firstSequence == 1) == (previous == .zero) else {
            throw WireError(.inconsistent, at: previousStart, "only the first header of an incarnation names none before it")
        }
        observed = try Self.observed(&reader, except: replica)
        root = try reader.fixed(Digest.self)
        try reader.expectEnd()
    }

    private static func replica(_ reader: inout CBORReader) throws(WireError) -> ReplicaID {
        ReplicaID(author: try reader.fixed(AuthorID.self), incarnation: try reader.unsigned())
    }

    private static func observed(_ reader: inout CBORReader, except own: ReplicaID) throws(WireError) -> [Observed] {
        let count = try reader.arrayCount(upTo: Limits.observedReplicasPerDelta, "observed replicas")
        var observed: [Observed] = []
        // An entry has 37 bytes at least; a growing array would take several times what it holds in the end.
        observed.reserveCapacity(min(count, reader.bytesLeft / 37))
        for _ in 0..<count {
            let start = reader.offset
            try reader.array(of: 3)
            let entry = Observed(replica: try replica(&reader), greatestSequence: try reader.ordinal())
            guard entry.greatestSequence > 0, entry.replica != own, observed.last.map({ $0.replica < entry.replica }) ?? true
            else {
                throw WireError(.badObserved, at: start, "rising replicas other than the delta's own, sequences from 1")
            }
            observed.append(entry)
        }
        return observed
    }
}
