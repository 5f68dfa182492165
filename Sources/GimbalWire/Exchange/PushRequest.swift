import GimbalCRDT

/// What a node sends up: where it stands in the pivot's log, and its next deltas in their order. `PushReader` reads it.
public struct PushRequest: Hashable, Sendable {
    static let type = "gimbal.push.1"
    public static let hardMaximumDeltas = 1024
    public static let hardMaximumBytes = 32 << 20

    public var cursor: Cursor
    public var deltas: [SealedDelta]

    public init(cursor: Cursor, deltas: [SealedDelta]) {
        self.cursor = cursor
        self.deltas = deltas
    }

    public var encoded: [UInt8] {
        var writer = CBORWriter(reserving: deltas.reduce(128) { $0 + $1.bytes.count })
        writer.array(count: 3)
        writer.text(Self.type)
        cursor.encode(into: &writer)
        writer.array(count: deltas.count)
        for delta in deltas { writer.encoded(delta.bytes) }
        return writer.bytes
    }
}

/// Reads a push delta by delta: what it holds grows with one delta, not with the push.
public struct PushReader: Sendable {
    public let cursor: Cursor
    /// How many deltas are still to come.
    public private(set) var remaining: Int
    private var reader: CBORReader

    public init(_ bytes: [UInt8]) throws(WireError) {
        guard bytes.count <= PushRequest.hardMaximumBytes else {
            throw WireError(.tooLarge, "push: at most \(PushRequest.hardMaximumBytes) bytes")
        }
        var reader = CBORReader(bytes)
        try reader.array(of: 3)
        try reader.type(PushRequest.type)
        cursor = try Cursor(from: &reader)
        remaining = try reader.arrayCount(upTo: PushRequest.hardMaximumDeltas, "deltas of a push")
        self.reader = reader
    }

    /// The next delta; nil after the last, and nothing follows it.
    public mutating func next() throws(WireError) -> SealedDelta? {
        guard remaining > 0 else {
            try reader.expectEnd()
            return nil
        }
        remaining -= 1
        return try SealedDelta(from: &reader)
    }
}
