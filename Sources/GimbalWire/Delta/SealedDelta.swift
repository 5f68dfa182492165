import GimbalCRDT

/// A delta as it travels: n operations with consecutive dots of one replica under one signature. Some operations may be
/// replaced by their hashes (a pruned delta); what is shown still verifies.
///
/// It gives no access to its operations: only `verified` does. CBOR [COSE_Sign1 over the header, [operation or
/// [hash, leaves covered] …]].
public struct SealedDelta: Hashable, Sendable {
    /// The whole encoding.
    public let bytes: [UInt8]
    /// Who it says it is from and what it extends. Not verified.
    public let claimedHeader: DeltaHeader
    /// Where the header is in `bytes`.
    private let payload: Range<Int>
    private let signature: Signature
    /// Where each item begins; the last item ends where the bytes end.
    let itemStarts: [UInt32]

    public init(decoding bytes: [UInt8]) throws(WireError) {
        guard bytes.count <= Limits.hardMaximumDeltaBytes else {
            throw WireError(.tooLarge, "delta: at most \(Limits.hardMaximumDeltaBytes) bytes")
        }
        var reader = CBORReader(bytes)
        try self.init(from: &reader)
        try reader.expectEnd()
    }

    /// Reads one delta that is part of a larger value.
    public init(from reader: inout CBORReader) throws(WireError) {
        let start = reader.offset
        try reader.array(of: 2)
        let (payload, signature) = try SignedPayload.parts(from: &reader)
        claimedHeader = try DeltaHeader(decoding: reader.bytes, in: payload)
        let count = try reader.arrayCount(upTo: Limits.hardMaximumOperationsPerDelta, "operations in a delta")
        guard count > 0 else { throw WireError(.inconsistent, at: start, "a delta has an operation at least") }
        var starts: [UInt32] = []
        starts.reserveCapacity(count)
        for _ in 0..<count {
            guard try reader.nextMajorType() == 4 else {
                throw WireError(.unexpected, at: reader.offset, "an operation or a hash expected")
            }
            starts.append(UInt32(try reader.skip().lowerBound - start))
        }
        guard reader.offset - start <= Limits.hardMaximumDeltaBytes else {
            throw WireError(.tooLarge, at: start, "delta: at most \(Limits.hardMaximumDeltaBytes) bytes")
        }
        itemStarts = starts
        self.payload = (payload.lowerBound - start)..<(payload.upperBound - start)
        self.signature = signature
        self.bytes = Array(reader.bytes[start..<reader.offset])
    }

    /// Signs a complete header over operations that are encoded already.
    init(signing header: DeltaHeader, operations: [[UInt8]], with signer: any Signer) {
        precondition(operations.count == header.count && header.count <= Limits.hardMaximumOperationsPerDelta)
        self.init(header, SignedPayload(signing: header.encoded, with: signer), items: operations)
    }

    private init(_ header: DeltaHeader, _ signed: SignedPayload, items: [[UInt8]]) {
        var writer = CBORWriter(reserving: items.reduce(signed.payload.count + 200) { $0 + $1.count })
        writer.array(count: 2)
        payload = signed.encode(into: &writer)
        writer.array(count: items.count)
        var starts: [UInt32] = []
        for item in items {
            starts.append(UInt32(writer.bytes.count))
            writer.encoded(item)
        }
        claimedHeader = header
        signature = signed.signature
        itemStarts = starts
        bytes = writer.bytes
    }

    /// The header with its signature, as COSE_Sign1.
    private var signed: SignedPayload { SignedPayload(payload: Array(bytes[payload]), signature: signature) }

    /// Whether the author signed the header.
    func verifySignature(_ primitives: any Primitives) throws(WireError) {
        try signed.verify(by: claimedHeader.replica.author, with: primitives)
    }

    func itemRange(_ index: Int) -> Range<Int> {
        let end = index + 1 < itemStarts.count ? Int(itemStarts[index + 1]) : bytes.count
        return Int(itemStarts[index])..<end
    }

    /// The same delta with `items` in place of its own; the signature still holds if they hash to its root.
    func replacingItems(_ items: [[UInt8]]) -> SealedDelta { SealedDelta(claimedHeader, signed, items: items) }

    /// How many operations are shown: items that are no hashes.
    public var shownCount: Int {
        // A hash begins with an array of two and 32 bytes; an operation with an array of three or more.
        itemStarts.count { bytes[Int($0)] != 0x82 }
    }

    /// Whether the author signed the header.
    public func isSigned(_ primitives: any Primitives) -> Bool {
        do throws(WireError) {
            try signed.verify(by: claimedHeader.replica.author, with: primitives)
            return true
        } catch {
            return false
        }
    }

    /// The hash by which the next header of the replica names this one. Covers the payload, not the signature.
    public func headerHash(_ primitives: any Primitives) -> Digest {
        primitives.hash(prefix: nil, bytes.span.extracting(payload))
    }

    /// The only door to the operations: checks the signature and that everything shown is what was signed.
    public func verified(_ primitives: any Primitives) throws(WireError) -> VerifiedDelta {
        try VerifiedDelta(verifying: self, primitives)
    }
}
