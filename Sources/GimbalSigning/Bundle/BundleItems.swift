import GimbalCRDT
import GimbalWire

/// The parts of a bundle file: a CBOR sequence (RFC 8742) of a head, log entries with their proofs, deltas that are in no
/// log yet, and an end. Every byte is under a signature or a hash. Specs/gimbal.cddl, docs/wire-format.md.
public enum BundleItem: Hashable, Sendable {
    static let type = "gimbal.bundle.1"

    /// Which space, the root's word for its pivot, and the place of the log that everything is proven against.
    case head(space: SpaceID, certificate: SignedPayload, checkpoint: SignedPayload)
    /// A log entry whose delta shows the operations that are meant.
    case entry(position: UInt64, LogEntry, inclusionPath: [Digest])
    /// A delta of an outbox: signed by its author, not in the log.
    case unplaced(SealedDelta)
    /// How many entries and unplaced deltas there were, and the hash of all bytes before.
    case end(entries: UInt64, unplaced: UInt64, hash: Digest)

    private enum Kind { static let entry: UInt64 = 1, unplaced: UInt64 = 2, end: UInt64 = 0 }
    private static let longestPath = 64

    public var encoded: [UInt8] {
        var writer = CBORWriter()
        switch self {
        case .head(let space, let certificate, let checkpoint):
            writer.array(count: 4)
            writer.text(Self.type)
            writer.byteString(space)
            certificate.encode(into: &writer)
            checkpoint.encode(into: &writer)
        case .entry(let position, let entry, let path):
            writer.array(count: 4)
            writer.unsigned(Kind.entry)
            writer.unsigned(position)
            entry.encode(into: &writer)
            writer.array(count: path.count)
            for hash in path { writer.byteString(hash) }
        case .unplaced(let delta):
            writer.array(count: 2)
            writer.unsigned(Kind.unplaced)
            writer.encoded(delta.bytes)
        case .end(let entries, let unplaced, let hash):
            writer.array(count: 4)
            writer.unsigned(Kind.end)
            writer.unsigned(entries)
            writer.unsigned(unplaced)
            writer.byteString(hash)
        }
        return writer.bytes
    }

    static func head(from reader: inout CBORReader) throws(WireError) -> BundleItem {
        try reader.array(of: 4)
        try reader.type(type)
        return .head(
            space: try reader.fixed(SpaceID.self), certificate: try SignedPayload(from: &reader),
            checkpoint: try SignedPayload(from: &reader))
    }

    /// Any item but the head.
    init(from reader: inout CBORReader) throws(WireError) {
        let start = reader.offset
        let fields = try reader.arrayCount(upTo: 4, "fields of a bundle item")
        switch (try reader.unsigned(), fields) {
        case (Kind.entry, 4):
            let position = try reader.unsigned()
            let entry = try LogEntry(from: &reader)
            var path: [Digest] = []
            for _ in 0..<(try reader.arrayCount(upTo: Self.longestPath, "hashes of an inclusion path")) {
                path.append(try reader.fixed(Digest.self))
            }
            self = .entry(position: position, entry, inclusionPath: path)
        case (Kind.unplaced, 2):
            self = .unplaced(try SealedDelta(from: &reader))
        case (Kind.end, 4):
            self = .end(
                entries: try reader.unsigned(), unplaced: try reader.unsigned(), hash: try reader.fixed(Digest.self))
        case (let kind, _):
            throw WireError(.unknownKind, at: start, "bundle item of kind \(kind)")
        }
    }
}

/// Writes a bundle piece by piece and keeps the hash of what was written.
public struct BundleWriter {
    private var hash = RunningHash()
    private var entries: UInt64 = 0
    private var unplaced: UInt64 = 0

    public init() {}

    /// The bytes of the next item, to be written where the bundle goes.
    public mutating func bytes(of item: BundleItem) -> [UInt8] {
        let bytes = item.encoded
        hash.update(bytes[...])
        if case .entry = item { entries += 1 }
        if case .unplaced = item { unplaced += 1 }
        return bytes
    }

    /// The last bytes.
    public mutating func end() -> [UInt8] {
        BundleItem.end(entries: entries, unplaced: unplaced, hash: hash.value()).encoded
    }
}
