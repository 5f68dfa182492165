import GimbalCRDT
import GimbalWire

/// The parts of a bundle file: a CBOR sequence (RFC 8742) of a head, log entries with their proofs, deltas that are in no
/// log yet, and an end. Every byte is under a signature or a hash. Specs/gimbal.cddl, docs/wire-format.md.
public enum BundleItem: Hashable, Sendable {
    static let type = "gimbal.bundle.1"
    /// One item; the largest delta and what surrounds it.
    static let hardMaximumBytes = 32 << 20

    /// Which space, the root's words for its pivots with rising serials, and the places of the log that everything is proven
    /// against, with rising epochs.
    ///
    /// The last checkpoint is the present, and the pivot of the last certificate signed it. Earlier checkpoints are of log
    /// trees that a join ended, earlier certificates of earlier working keys.
    case head(space: SpaceID, certificates: [SignedPayload], checkpoints: [SignedPayload])
    /// A log entry whose delta shows the operations that are meant. In the order of trees and positions.
    case entry(BundleEntry)
    /// A delta of an outbox: signed by its author, not in the log.
    case unplaced(SealedDelta)
    /// How many entries and unplaced deltas there were, and the hash of all bytes before.
    case end(entries: UInt64, unplaced: UInt64, hash: Digest)

    /// How many certificates or checkpoints a head has at most.
    static let mostInHead = 64

    private enum Kind { static let entry: UInt64 = 1, unplaced: UInt64 = 2, end: UInt64 = 0 }
    private static let longestPath = 64

    public var encoded: [UInt8] {
        var writer = CBORWriter()
        switch self {
        case .head(let space, let certificates, let checkpoints):
            writer.array(count: 4)
            writer.text(Self.type)
            writer.byteString(space)
            for list in [certificates, checkpoints] {
                writer.array(count: list.count)
                for payload in list { payload.encode(into: &writer) }
            }
        case .entry(let entry):
            writer.array(count: 5)
            writer.unsigned(Kind.entry)
            writer.unsigned(entry.tree)
            writer.unsigned(entry.position)
            entry.entry.encode(into: &writer)
            writer.array(count: entry.inclusionPath.count)
            for hash in entry.inclusionPath { writer.byteString(hash) }
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

    /// Whether an item's bytes are those of an end item, as far as their kind goes.
    static func isEnd(_ bytes: [UInt8]) -> Bool { bytes.starts(with: [0x84, UInt8(Kind.end)]) }

    /// Decodes one item of a file, in `bytes` alone. The first is a head, anything else comes after it.
    public init(decoding bytes: [UInt8], isFirst: Bool) throws(WireError) {
        var reader = CBORReader(bytes)
        self = isFirst ? try Self.head(from: &reader) : try Self.body(from: &reader)
        try reader.expectEnd()
    }

    private static func head(from reader: inout CBORReader) throws(WireError) -> BundleItem {
        try reader.array(of: 4)
        try reader.type(type)
        let space = try reader.fixed(SpaceID.self)
        return .head(
            space: space, certificates: try payloads(from: &reader, "certificates"),
            checkpoints: try payloads(from: &reader, "checkpoints"))
    }

    private static func payloads(from reader: inout CBORReader, _ what: String) throws(WireError) -> [SignedPayload] {
        let start = reader.offset
        var payloads: [SignedPayload] = []
        for _ in 0..<(try reader.arrayCount(upTo: mostInHead, what)) { payloads.append(try SignedPayload(from: &reader)) }
        guard !payloads.isEmpty else { throw WireError(.inconsistent, at: start, "\(what): one at least") }
        return payloads
    }

    private static func body(from reader: inout CBORReader) throws(WireError) -> BundleItem {
        let start = reader.offset
        let fields = try reader.arrayCount(upTo: 5, "fields of a bundle item")
        switch (try reader.unsigned(), fields) {
        case (Kind.entry, 5):
            let tree = try reader.count(upTo: mostInHead - 1, "tree")
            let position = try reader.ordinal()
            let entry = try LogEntry(from: &reader)
            var path: [Digest] = []
            for _ in 0..<(try reader.arrayCount(upTo: longestPath, "hashes of an inclusion path")) {
                path.append(try reader.fixed(Digest.self))
            }
            return .entry(BundleEntry(tree: tree, position: position, entry: entry, inclusionPath: path))
        case (Kind.unplaced, 2):
            return .unplaced(try SealedDelta(from: &reader))
        case (Kind.end, 4):
            return .end(
                entries: try reader.ordinal(), unplaced: try reader.ordinal(), hash: try reader.fixed(Digest.self))
        case (let kind, _):
            throw WireError(.unknownKind, at: start, "bundle item of kind \(kind)")
        }
    }
}

/// A log entry in a bundle, and what proves its place.
public struct BundleEntry: Hashable, Sendable {
    /// Which of the head's checkpoints it is proven against, from 0.
    public var tree: Int
    public var position: UInt64
    public var entry: LogEntry
    /// The siblings from its leaf up to that checkpoint's log root (RFC 9162 §2.1.3.1).
    public var inclusionPath: [Digest]

    public init(tree: Int = 0, position: UInt64, entry: LogEntry, inclusionPath: [Digest]) {
        self.tree = tree
        self.position = position
        self.entry = entry
        self.inclusionPath = inclusionPath
    }
}

/// Writes a bundle item by item and keeps the hash of what was written.
public struct BundleWriter: ~Copyable {
    private var hash = RunningHash()
    private var entries: UInt64 = 0
    private var unplaced: UInt64 = 0

    public init() {}

    /// The bytes of the next item, to be written where the bundle goes.
    public mutating func bytes(of item: BundleItem) -> [UInt8] {
        let bytes = item.encoded
        hash.update(bytes)
        if case .entry = item { entries += 1 }
        if case .unplaced = item { unplaced += 1 }
        return bytes
    }

    /// The last bytes.
    public consuming func end() -> [UInt8] {
        BundleItem.end(entries: entries, unplaced: unplaced, hash: hash.value()).encoded
    }
}
