import GimbalCRDT

/// One place of the log, with no more trust than its bytes.
public struct LogEntry: Hashable, Sendable {
    public enum Body: Hashable, Sendable {
        /// An accepted delta: refused operations are hashes.
        case delta(SealedDelta)
        /// The same as its own author pulls it: the header's hash alone.
        case receipt(headerHash: Digest)
        /// The first entry of a log that began as a join: hashes of the checkpoints that were joined.
        case join([Digest])
    }

    public var body: Body
    /// The upper bound on the effective stamps of the delta's operations; zero for a join.
    public var cap: HybridTimestamp
    public var refusals: Refusals

    public init(body: Body, cap: HybridTimestamp, refusals: some Collection<Refusal>) {
        self.body = body
        self.cap = cap
        self.refusals = Refusals(refusals)
    }

    private enum Kind { static let delta: UInt64 = 1, receipt: UInt64 = 2, join: UInt64 = 3 }

    public func encode(into writer: inout CBORWriter) {
        switch body {
        case .delta(let delta):
            begin(&writer, kind: Kind.delta)
            writer.encoded(delta.bytes)
        case .receipt(let headerHash):
            begin(&writer, kind: Kind.receipt)
            writer.byteString(headerHash)
        case .join(let checkpoints):
            writer.array(count: 2)
            writer.unsigned(Kind.join)
            writer.array(count: checkpoints.count)
            for checkpoint in checkpoints { writer.byteString(checkpoint) }
        }
    }

    private func begin(_ writer: inout CBORWriter, kind: UInt64) {
        writer.array(count: 4)
        writer.unsigned(kind)
        writer.stamp(cap)
        refusals.encode(into: &writer)
    }

    public var encoded: [UInt8] {
        var writer = CBORWriter()
        encode(into: &writer)
        return writer.bytes
    }

    public init(from reader: inout CBORReader) throws(WireError) {
        let start = reader.offset
        let fields = try reader.arrayCount(upTo: 4, "fields of a log entry")
        let kind = try reader.unsigned()
        switch (kind, fields) {
        case (Kind.delta, 4):
            cap = try reader.stamp()
            refusals = try Refusals(from: &reader)
            body = .delta(try SealedDelta(from: &reader))
        case (Kind.receipt, 4):
            cap = try reader.stamp()
            refusals = try Refusals(from: &reader)
            body = .receipt(headerHash: try reader.fixed(Digest.self))
        case (Kind.join, 2):
            cap = .zero
            refusals = []
            var checkpoints: [Digest] = []
            for _ in 0..<(try reader.arrayCount(upTo: 64, "joined checkpoints")) {
                checkpoints.append(try reader.fixed(Digest.self))
            }
            body = .join(checkpoints)
        default:
            throw WireError(.unknownKind, at: start, "log entry of kind \(kind)")
        }
    }

    public init(decoding bytes: [UInt8]) throws(WireError) {
        var reader = CBORReader(bytes)
        try self.init(from: &reader)
        try reader.expectEnd()
    }

    /// The log tree's leaf: a receipt has the same as its delta.
    public func leaf(_ primitives: any Primitives) -> Digest {
        switch body {
        case .delta(let delta): Self.leaf(headerHash: delta.headerHash(primitives), cap: cap, refusals: refusals, primitives)
        case .receipt(let headerHash): Self.leaf(headerHash: headerHash, cap: cap, refusals: refusals, primitives)
        case .join: MerkleTree.leaf(encoded.span, primitives)
        }
    }

    /// The leaf of an accepted delta whose header's hash is known.
    public static func leaf(
        headerHash: Digest, cap: HybridTimestamp, refusals: some Collection<Refusal>, _ primitives: any Primitives
    ) -> Digest {
        var writer = CBORWriter(reserving: 64)
        writer.array(count: 4)
        writer.unsigned(Kind.delta)
        writer.stamp(cap)
        Refusals(refusals).encode(into: &writer)
        writer.byteString(headerHash)
        return MerkleTree.leaf(writer.bytes.span, primitives)
    }
}
