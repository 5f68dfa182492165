import GimbalCRDT

/// What a node sends up: where it stands in the pivot's log, and its next deltas in their order.
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

    public init(decoding bytes: [UInt8]) throws(WireError) {
        guard bytes.count <= Self.hardMaximumBytes else {
            throw WireError(.tooLarge, "push: at most \(Self.hardMaximumBytes) bytes")
        }
        var reader = CBORReader(bytes)
        try reader.array(of: 3)
        try reader.type(Self.type)
        cursor = try Cursor(from: &reader)
        deltas = []
        for _ in 0..<(try reader.arrayCount(upTo: Self.hardMaximumDeltas, "deltas of a push")) {
            deltas.append(try SealedDelta(from: &reader))
        }
        try reader.expectEnd()
    }
}
