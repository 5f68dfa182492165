import GimbalCRDT

/// One operation of a delta, with no more trust than its bytes.
///
/// CBOR array [kind, stamp offset, path, …], see Specs/gimbal.cddl.
public struct Operation: Hashable, Sendable {
    /// A dot of another replica that the writer had observed: which entry of the header's table, which sequence. What the
    /// same replica wrote before on the path is always observed and never listed.
    public struct Observed: Hashable, Comparable, Sendable {
        public var replicaIndex: Int
        public var sequence: UInt64

        public init(replicaIndex: Int, sequence: UInt64) {
            self.replicaIndex = replicaIndex
            self.sequence = sequence
        }

        public static func < (left: Self, right: Self) -> Bool {
            (left.replicaIndex, left.sequence) < (right.replicaIndex, right.sequence)
        }
    }

    public enum Action: Hashable, Sendable {
        /// register := value
        case assign(value: [UInt8], created: HybridTimestamp)
        /// register := deleted
        case clear
        /// The observed dots go, the member gains this dot.
        case put(value: [UInt8], created: HybridTimestamp, observed: [Observed])
        /// The observed dots go.
        case remove(observed: [Observed])
    }

    /// The operation's stamp minus the header's.
    public var stampOffset: UInt64
    public var path: Path
    public var action: Action

    public init(stampOffset: UInt64, path: Path, action: Action) {
        self.stampOffset = stampOffset
        self.path = path
        self.action = action
    }

    public var observed: [Observed] {
        switch action {
        case .assign, .clear: []
        case .put(_, _, let observed), .remove(let observed): observed
        }
    }

    private enum Kind { static let assign: UInt64 = 1, clear: UInt64 = 2, put: UInt64 = 3, remove: UInt64 = 4 }

    public func encode(into writer: inout CBORWriter) {
        switch action {
        case .assign(let value, let created):
            begin(&writer, fields: 5, kind: Kind.assign)
            writer.text(utf8: value)
            writer.stamp(created)
        case .clear:
            begin(&writer, fields: 3, kind: Kind.clear)
        case .put(let value, let created, let observed):
            begin(&writer, fields: 6, kind: Kind.put)
            writer.text(utf8: value)
            writer.stamp(created)
            Self.encode(observed, into: &writer)
        case .remove(let observed):
            begin(&writer, fields: 4, kind: Kind.remove)
            Self.encode(observed, into: &writer)
        }
    }

    private func begin(_ writer: inout CBORWriter, fields: Int, kind: UInt64) {
        writer.array(count: fields)
        writer.unsigned(kind)
        writer.unsigned(stampOffset)
        writer.text(utf8: path.bytes)
    }

    private static func encode(_ observed: [Observed], into writer: inout CBORWriter) {
        writer.array(count: observed.count * 2)
        for dot in observed {
            writer.unsigned(dot.replicaIndex)
            writer.unsigned(dot.sequence)
        }
    }

    public var encoded: [UInt8] {
        var writer = CBORWriter()
        encode(into: &writer)
        return writer.bytes
    }

    /// Decodes the operation in `range`; every rule that needs no more than its own bytes is checked.
    public init(decoding bytes: [UInt8], in range: Range<Int>) throws(WireError) {
        var reader = CBORReader(bytes, in: range)
        let start = reader.offset
        let fields = try reader.arrayCount(upTo: 6, "fields of an operation")
        let kind = try reader.unsigned()
        stampOffset = try reader.unsigned()
        path = try Self.path(&reader)
        switch (kind, fields) {
        case (Kind.assign, 5):
            action = .assign(value: try Self.value(&reader), created: try reader.stamp())
        case (Kind.clear, 3):
            action = .clear
        case (Kind.put, 6):
            action = .put(
                value: try Self.value(&reader), created: try reader.stamp(), observed: try Self.observed(&reader))
        case (Kind.remove, 4):
            action = .remove(observed: try Self.observed(&reader))
        default:
            throw WireError(.unknownKind, at: start, "kind \(kind) with \(fields) fields")
        }
        try reader.expectEnd()
        guard path.isRegister == (kind == Kind.assign || kind == Kind.clear) else {
            throw WireError(.inconsistent, at: start, "the kind does not fit the path")
        }
    }

    private static func path(_ reader: inout CBORReader) throws(WireError) -> Path {
        let range = try reader.textRange()
        guard let path = Path(reader.bytes[range]) else { throw WireError(.badPath, at: range.lowerBound) }
        return path
    }

    private static func value(_ reader: inout CBORReader) throws(WireError) -> [UInt8] {
        let range = try reader.textRange()
        guard range.count <= Limits.hardMaximumValueBytes else {
            throw WireError(.tooLarge, at: range.lowerBound, "value: at most \(Limits.hardMaximumValueBytes) bytes")
        }
        let value = Array(reader.bytes[range])
        do {
            try JSONText.validate(value.span, maximumNesting: Limits.jsonNesting)
        } catch {
            throw WireError(.badValue, at: range.lowerBound, "\(error)")
        }
        return value
    }

    private static func observed(_ reader: inout CBORReader) throws(WireError) -> [Observed] {
        let start = reader.offset
        let numbers = try reader.arrayCount(upTo: Limits.observedDotsPerOperation * 2, "observed dots")
        guard numbers.isMultiple(of: 2) else { throw WireError(.badObserved, at: start, "pairs expected") }
        var observed: [Observed] = []
        observed.reserveCapacity(numbers / 2)
        for _ in 0..<(numbers / 2) {
            let place = reader.offset
            let index = try reader.count(upTo: Limits.observedReplicasPerDelta - 1, "replica index")
            let dot = Observed(replicaIndex: index, sequence: try reader.unsigned())
            guard dot.sequence > 0, dot.sequence < Limits.ordinalLimit, observed.last.map({ $0 < dot }) ?? true else {
                throw WireError(.badObserved, at: place, "rising pairs expected, sequences from 1 and below 2^62")
            }
            observed.append(dot)
        }
        return observed
    }
}
