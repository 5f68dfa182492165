import GimbalCRDT

/// Why an operation was refused, by its place in its delta.
public struct Refusal: Hashable, Sendable {
    public var index: Int
    /// A stable code, see docs/wire-format.md.
    public var reason: String

    public init(index: Int, reason: String) {
        self.index = index
        self.reason = reason
    }
}

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
    /// Rising by index.
    public var refusals: [Refusal]

    public init(body: Body, cap: HybridTimestamp, refusals: [Refusal]) {
        self.body = body
        self.cap = cap
        self.refusals = refusals
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
        Self.encode(refusals, into: &writer)
    }

    private static func encode(_ refusals: [Refusal], into writer: inout CBORWriter) {
        writer.array(count: refusals.count * 2)
        for refusal in refusals {
            writer.unsigned(refusal.index)
            writer.text(refusal.reason)
        }
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
            refusals = try Self.refusals(&reader)
            body = .delta(try SealedDelta(from: &reader))
        case (Kind.receipt, 4):
            cap = try reader.stamp()
            refusals = try Self.refusals(&reader)
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

    private static func refusals(_ reader: inout CBORReader) throws(WireError) -> [Refusal] {
        let start = reader.offset
        let items = try reader.arrayCount(upTo: Limits.hardMaximumOperationsPerDelta * 2, "refusals")
        guard items.isMultiple(of: 2) else { throw WireError(.inconsistent, at: start, "pairs expected") }
        var refusals: [Refusal] = []
        for _ in 0..<(items / 2) {
            let place = reader.offset
            let index = try reader.count(upTo: Limits.hardMaximumOperationsPerDelta - 1, "index")
            guard refusals.last.map({ $0.index < index }) ?? true else {
                throw WireError(.inconsistent, at: place, "rising indexes expected")
            }
            refusals.append(Refusal(index: index, reason: try reader.text(upTo: 64)))
        }
        return refusals
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
        headerHash: Digest, cap: HybridTimestamp, refusals: [Refusal], _ primitives: any Primitives
    ) -> Digest {
        var writer = CBORWriter(reserving: 64)
        writer.array(count: 4)
        writer.unsigned(Kind.delta)
        writer.stamp(cap)
        encode(refusals, into: &writer)
        writer.byteString(headerHash)
        return MerkleTree.leaf(writer.bytes.span, primitives)
    }
}
