import GimbalCRDT

/// What the pivot vouches for after a commit: everything up to this position, in this order, makes this state.
public struct Checkpoint: Hashable, Sendable {
    static let type = "gimbal.checkpoint.1"

    public var space: SpaceID
    public var epoch: Epoch
    public var position: UInt64
    /// The position of the log tree's first leaf: 1, until a refill begins a new tree.
    public var firstPosition: UInt64
    /// The pivot's time at the commit, Unix milliseconds.
    public var pivotMilliseconds: UInt64
    /// The greatest cap or effective stamp so far: what the next cap must exceed.
    public var greatestStamp: HybridTimestamp
    public var stateDigest: Digest
    public var logRoot: Digest

    public init(
        space: SpaceID, epoch: Epoch, position: UInt64, firstPosition: UInt64, pivotMilliseconds: UInt64,
        greatestStamp: HybridTimestamp, stateDigest: Digest, logRoot: Digest
    ) {
        self.space = space
        self.epoch = epoch
        self.position = position
        self.firstPosition = firstPosition
        self.pivotMilliseconds = pivotMilliseconds
        self.greatestStamp = greatestStamp
        self.stateDigest = stateDigest
        self.logRoot = logRoot
    }

    public var cursor: Cursor { Cursor(epoch: epoch, position: position, logRoot: logRoot) }

    public var encoded: [UInt8] {
        var writer = CBORWriter(reserving: 200)
        writer.array(count: 10)
        writer.text(Self.type)
        writer.byteString(space)
        epoch.encode(into: &writer)
        writer.unsigned(position)
        writer.unsigned(firstPosition)
        writer.unsigned(pivotMilliseconds)
        writer.stamp(greatestStamp)
        writer.byteString(stateDigest)
        writer.byteString(logRoot)
        return writer.bytes
    }

    public init(decoding bytes: [UInt8]) throws(WireError) {
        var reader = CBORReader(bytes)
        try reader.array(of: 10)
        try reader.type(Self.type)
        space = try reader.fixed(SpaceID.self)
        epoch = try Epoch(from: &reader)
        position = try reader.ordinal()
        firstPosition = try reader.ordinal()
        pivotMilliseconds = try reader.ordinal()
        greatestStamp = try reader.stamp()
        stateDigest = try reader.fixed(Digest.self)
        logRoot = try reader.fixed(Digest.self)
        try reader.expectEnd()
    }
}

/// A checkpoint whose signature by the pivot of its space holds.
public struct VerifiedCheckpoint: Hashable, Sendable {
    public let checkpoint: Checkpoint
    public let signed: SignedPayload

    public init(
        verifying signed: SignedPayload, by pivot: AuthorID, of space: SpaceID, _ primitives: any Primitives
    ) throws(WireError) {
        try signed.verify(by: pivot, with: primitives)
        let checkpoint = try Checkpoint(decoding: signed.payload)
        guard checkpoint.space == space else { throw WireError(.wrongSpace, "checkpoint of \(checkpoint.space)") }
        self.checkpoint = checkpoint
        self.signed = signed
    }
}
