import GimbalCRDT
import GimbalReplication
import GimbalStorage
import GimbalWire

/// How states, overlays and pending operations are stored: deterministic CBOR, as described in Specs/gimbal.cddl.
enum StateRecord {
    static func encode(_ state: PathState) -> [UInt8] {
        let writes = state.writes
        var writer = CBORWriter(reserving: writes.reduce(16) { $0 + 120 + ($1.value?.count ?? 0) })
        encode(writes, into: &writer)
        return writer.bytes
    }

    static func decode(_ bytes: [UInt8], at path: Path) throws(WireError) -> PathState {
        var reader = CBORReader(bytes)
        let state = try decode(&reader, at: path)
        try reader.expectEnd()
        return state
    }

    /// The dots alone, without the values.
    static func dots(_ bytes: [UInt8]) throws(WireError) -> [Dot] {
        var reader = CBORReader(bytes)
        var dots: [Dot] = []
        for _ in 0..<(try reader.arrayCount(upTo: Int.max, "writes")) { dots.append(try skim(&reader).dot) }
        return dots
    }

    /// When what a state shows was created, read without its values; nil when it shows nothing.
    static func creation(_ bytes: [UInt8], at path: Path) throws(WireError) -> HybridTimestamp? {
        var reader = CBORReader(bytes)
        guard try reader.arrayCount(upTo: Int.max, "writes") == 1 else { return try decode(bytes, at: path).visible?.created }
        let write = try skim(&reader)
        try reader.expectEnd()
        return write.hasValue ? write.created : nil
    }

    /// One write without its hash and value.
    private static func skim(
        _ reader: inout CBORReader
    ) throws(WireError) -> (dot: Dot, created: HybridTimestamp, hasValue: Bool) {
        try reader.array(of: 7)
        let dot = try decodeDot(&reader)
        _ = try reader.stamp()
        let created = try reader.stamp()
        _ = try reader.byteStringRange()
        let hasValue = !reader.takeNull()
        if hasValue { _ = try reader.textRange() }
        return (dot, created, hasValue)
    }

    private static func encode(_ writes: [Write], into writer: inout CBORWriter) {
        writer.array(count: writes.count)
        for write in writes { encode(write, value: write.value?[...], into: &writer) }
    }

    /// Decodes a state that is part of something larger.
    static func decode(_ bytes: [UInt8], _ range: Range<Int>, at path: Path) throws(WireError) -> PathState {
        var reader = CBORReader(bytes, in: range)
        let state = try decode(&reader, at: path)
        try reader.expectEnd()
        return state
    }

    /// One write as the whole state of its path.
    ///
    /// - Parameter value: in place of the write's own.
    static func encode(_ write: Write, value: ArraySlice<UInt8>?) -> [UInt8] {
        var writer = CBORWriter(reserving: 136 + (value?.count ?? 0))
        writer.array(count: 1)
        encode(write, value: value, into: &writer)
        return writer.bytes
    }

    /// Two states of one path that were taken apart, put together again.
    static func combine(_ one: [UInt8], _ other: [UInt8], at path: Path) throws(WireError) -> [UInt8] {
        let writes = try decode(one, at: path).writes + decode(other, at: path).writes
        var unique: [Write] = []
        for write in writes where !unique.contains(where: { $0.dot == write.dot }) { unique.append(write) }
        guard unique.count > 1 else { return one }
        guard !path.isRegister else { throw WireError(.inconsistent, at: 0, "a register has one write") }
        return encode(.member(Member(live: unique)))
    }

    private static func encode(_ write: Write, value: ArraySlice<UInt8>?, into writer: inout CBORWriter) {
        writer.array(count: 7)
        encode(write.dot, into: &writer)
        writer.stamp(write.stamp)
        writer.stamp(write.created)
        writer.byteString(write.operationHash)
        if let value { writer.text(utf8: value) } else { writer.null() }
    }

    private static func decode(_ reader: inout CBORReader, at path: Path) throws(WireError) -> PathState {
        let start = reader.offset
        var writes: [Write] = []
        for _ in 0..<(try reader.arrayCount(upTo: Int.max, "writes")) {
            try reader.array(of: 7)
            let dot = try decodeDot(&reader)
            let stamp = try reader.stamp()
            let created = try reader.stamp()
            let hash = try reader.fixed(Digest.self)
            let value = reader.takeNull() ? nil : Array(reader.bytes[try reader.textRange()])
            writes.append(Write(dot: dot, stamp: stamp, created: created, operationHash: hash, value: value))
        }
        guard path.isRegister else { return .member(Member(live: writes)) }
        guard writes.count == 1 else { throw WireError(.inconsistent, at: start, "a register has one write") }
        return .register(Register(writes[0]))
    }

    static func encode(_ dot: Dot, into writer: inout CBORWriter) {
        writer.byteString(dot.replica.author)
        writer.unsigned(dot.replica.incarnation)
        writer.unsigned(dot.sequence)
    }

    static func decodeDot(_ reader: inout CBORReader) throws(WireError) -> Dot {
        Dot(
            replica: ReplicaID(author: try reader.fixed(AuthorID.self), incarnation: try reader.unsigned()),
            sequence: try reader.ordinal())
    }

    // MARK: Overlays

    static func encode(_ overlay: Overlay) -> [UInt8] {
        var writer = CBORWriter()
        writer.array(count: 3)
        if let view = overlay.view { encode(view.writes, into: &writer) } else { writer.null() }
        writer.array(count: overlay.pending.count)
        for sequence in overlay.pending { writer.unsigned(sequence) }
        encode(overlay.observed, into: &writer)
        return writer.bytes
    }

    static func decodeOverlay(_ bytes: [UInt8], at path: Path) throws(WireError) -> Overlay {
        var reader = CBORReader(bytes)
        try reader.array(of: 3)
        let view = reader.takeNull() ? nil : try decode(&reader, at: path)
        var pending: [UInt64] = []
        for _ in 0..<(try reader.arrayCount(upTo: Int.max, "pending operations")) { pending.append(try reader.ordinal()) }
        let observed = try decodeDots(&reader)
        try reader.expectEnd()
        return Overlay(view: view, pending: pending, observed: observed)
    }

    private static func encode(_ dots: [Dot], into writer: inout CBORWriter) {
        writer.array(count: dots.count * 3)
        for dot in dots { encode(dot, into: &writer) }
    }

    private static func decodeDots(_ reader: inout CBORReader) throws(WireError) -> [Dot] {
        var dots: [Dot] = []
        for _ in 0..<(try reader.arrayCount(upTo: Int.max, "observed dots") / 3) { dots.append(try decodeDot(&reader)) }
        return dots
    }

    // MARK: Pending operations

    private enum Kind { static let assign: UInt64 = 1, clear: UInt64 = 2, put: UInt64 = 3, remove: UInt64 = 4 }

    static func encode(_ operation: PendingOperation) -> [UInt8] {
        var writer = CBORWriter()
        encode(operation, into: &writer)
        return writer.bytes
    }

    static func encode(_ operation: PendingOperation, into writer: inout CBORWriter) {
        writer.array(count: 7)
        writer.unsigned(operation.sequence)
        writer.stamp(operation.stamp)
        writer.text(utf8: operation.path.bytes)
        encode(operation.observed, into: &writer)
        switch operation.action {
        case .assign(let value, let created): encode(Kind.assign, value, created, into: &writer)
        case .put(let value, let created): encode(Kind.put, value, created, into: &writer)
        case .clear: encode(Kind.clear, nil, .zero, into: &writer)
        case .remove: encode(Kind.remove, nil, .zero, into: &writer)
        }
    }

    private static func encode(
        _ kind: UInt64, _ value: [UInt8]?, _ created: HybridTimestamp, into writer: inout CBORWriter
    ) {
        writer.unsigned(kind)
        if let value { writer.text(utf8: value) } else { writer.null() }
        writer.stamp(created)
    }

    static func decodePending(_ bytes: [UInt8]) throws(WireError) -> PendingOperation {
        var reader = CBORReader(bytes)
        let operation = try decodePending(&reader)
        try reader.expectEnd()
        return operation
    }

    static func decodePending(_ reader: inout CBORReader) throws(WireError) -> PendingOperation {
        let start = reader.offset
        try reader.array(of: 7)
        let sequence = try reader.ordinal()
        let stamp = try reader.stamp()
        guard let path = Path(reader.bytes[try reader.textRange()]) else { throw WireError(.badPath, at: start) }
        let observed = try decodeDots(&reader)
        let kind = try reader.unsigned()
        let value = reader.takeNull() ? nil : Array(reader.bytes[try reader.textRange()])
        let created = try reader.stamp()
        let action: PendingOperation.Action
        switch (kind, value) {
        case (Kind.assign, .some(let value)): action = .assign(value: value, created: created)
        case (Kind.put, .some(let value)): action = .put(value: value, created: created)
        case (Kind.clear, nil): action = .clear
        case (Kind.remove, nil): action = .remove
        default: throw WireError(.unknownKind, at: start)
        }
        return PendingOperation(sequence: sequence, stamp: stamp, path: path, action: action, observed: observed)
    }
}
