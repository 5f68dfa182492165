import GimbalCRDT
import GimbalReplication
import GimbalSigning
import GimbalStorage
import GimbalWire

/// Where a node's copy of a snapshot goes on: what a request names after a cut.
public struct SnapshotPlace: Hashable, Sendable {
    public enum Section: Hashable, Sendable {
        /// Everything, the head first.
        case head
        /// The entries after a position; how many there were up to it.
        case entries(after: UInt64, count: UInt64)
        /// The version vector and all that comes after it; how many entries there were.
        case replicas(entries: UInt64)
    }

    /// Of the checkpoint that the snapshot is of.
    public var cursor: Cursor
    public var section: Section

    public init(cursor: Cursor, section: Section) {
        self.cursor = cursor
        self.section = section
    }
}

/// A space as it was at one checkpoint, for any number of nodes that take it as their snapshot: one consistent view, held as
/// long as this object, and 8 bytes for each live operation.
public final class SnapshotSource: Sendable {
    public let checkpoint: Checkpoint
    let head: SnapshotHead
    let view: any StorageView
    let versionVector: VersionVector
    private let live: DotSelection
    private let pivots: Set<AuthorID>
    private let primitives = SodiumPrimitives()

    /// - Parameters:
    ///   - view: shows the state of exactly this checkpoint.
    ///   - certificate: of the pivot that signed it.
    init(
        view: any StorageView, space: SpaceID, certificate: SignedPayload, checkpoint signed: SignedPayload
    ) throws(StoreError) {
        self.view = view
        (checkpoint, pivots) = try decoding("checkpoint") { () throws(WireError) in
            (try Checkpoint(decoding: signed.payload), [try Certificate(verifying: certificate, SodiumPrimitives()).pivot])
        }
        let loader = SpaceLoader(view: view)
        head = SnapshotHead(
            space: space, certificates: [certificate], checkpoints: [signed], frontier: try loader.frontier().2)
        versionVector = try loader.versionVector()
        live = try Self.liveDots(loader)
    }

    private static func liveDots(_ loader: SpaceLoader) throws(StoreError) -> DotSelection {
        var sequences: [ReplicaID: [UInt64]] = [:]
        // Most neighbours are of one replica: its list is taken out of the table while it grows.
        var current: (replica: ReplicaID, sequences: [UInt64])?
        try loader.scan(from: [], until: nil, in: .state, "states") { _, value throws(WireError) in
            for dot in try StateRecord.dots(value) {
                if current?.replica != dot.replica {
                    if let done = current { sequences[done.replica] = done.sequences }
                    current = (dot.replica, sequences.removeValue(forKey: dot.replica) ?? [])
                }
                current?.sequences.append(dot.sequence)
            }
            return true
        }
        if let done = current { sequences[done.replica] = done.sequences }
        return DotSelection(sequences)
    }

    /// What the snapshot shows of an entry: the entry's bytes, pruned where they show more; nil when it shows nothing.
    func shown(_ bytes: [UInt8]) throws(WireError) -> [UInt8]? {
        var entry = try LogEntry(decoding: bytes)
        guard case .delta(let sealed) = entry.body else { return bytes }
        let header = sealed.claimedHeader
        let live = live.sequences(in: header)
        // Of the space's own records everything is shown; only the pivot writes them.
        let own = pivots.contains(header.replica.author) ? try sealed.shownPaths { $0.first == UInt8(ascii: "_") } : []
        guard !live.isEmpty || !own.isEmpty else { return nil }
        var kept = Set(own.map(\.index))
        guard live.count + kept.count < sealed.shownCount else { return bytes }
        for sequence in live { kept.insert(Int(sequence - header.firstSequence)) }
        guard kept.count < sealed.shownCount else { return bytes }
        entry.body = .delta(try UnsignedDelta(sealed, primitives).pruned(keeping: kept.contains, primitives))
        return entry.encoded
    }

    /// Whether the snapshot shows anything of an entry.
    func isShown(_ entry: LogEntry) throws(WireError) -> Bool {
        guard case .delta(let sealed) = entry.body else { return true }
        let header = sealed.claimedHeader
        if !live.sequences(in: header).isEmpty { return true }
        guard pivots.contains(header.replica.author) else { return false }
        return try !sealed.shownPaths { $0.first == UInt8(ascii: "_") }.isEmpty
    }
}
