import GimbalCRDT
import GimbalReplication
import GimbalStorage
import GimbalWire

/// Whether a node can go on from where it stands.
public enum CursorStanding: Sendable {
    /// The log has everything after it.
    case served
    /// It is of this log, but what follows it is pruned, or much longer than a snapshot: the node takes one.
    case gone
    /// This log never contained it.
    case unknown
}

extension PivotSpace {
    /// What a node at this cursor gets.
    public func standing(of cursor: Cursor) throws(StoreError) -> CursorStanding {
        guard try contains(cursor) else { return .unknown }
        if cursor == .start { return isLogLong ? .gone : .served }
        return isGone(cursor.position) ? .gone : .served
    }

    /// An empty node takes the snapshot of any log that is pruned, or more than a page.
    private var isLogLong: Bool {
        let status = retention.status
        return status.horizon > 1 || place.position > Self.entriesOfShortLog || status.bytes > UInt64(Page.targetBytes)
    }

    private static let entriesOfShortLog: UInt64 = 1000

    /// Whether what follows this position is pruned.
    public func isGone(_ position: UInt64) -> Bool { position + 1 < retention.horizon }

    /// A reader of the snapshot from some place on, or of a recent one from its beginning. Nil when that snapshot is no longer
    /// here. Give it back with `release`.
    public func snapshot(_ place: SnapshotPlace?) throws(StoreError) -> (source: SnapshotSource, reader: SnapshotReader)? {
        let now = steadyMilliseconds
        if let place {
            guard let source = shelf.find(place.cursor, now: now) else { return nil }
            return (source, SnapshotReader(source, from: place.section, frameBytes: options.snapshotFrameBytes))
        }
        let source = try shelf.recent(now: now) { () throws(StoreError) in
            while true {
                let source = try makeSnapshot()
                // The horizon may have passed it before it was on the shelf.
                if source.checkpoint.position + 1 >= retention.horizon { return source }
            }
        }
        return (source, SnapshotReader(source, from: .head, frameBytes: options.snapshotFrameBytes))
    }

    public func release(_ source: SnapshotSource) { shelf.release(source, now: steadyMilliseconds) }

    private func makeSnapshot() throws(StoreError) -> SnapshotSource {
        let view = try storing { () throws(StorageError) in try engine.view() }
        guard let last = try storing({ () throws(StorageError) in try view.last(.checkpoints, below: RecordKey.number(.max)) })
        else { throw .damaged(record: "checkpoint", WireError(.truncated, at: 0, "the log is empty")) }
        let signed = try decoding("checkpoint") { () throws(WireError) in
            try SignedPayload(decoding: signedCheckpoint(try Checkpoint(decoding: last.value)))
        }
        return try SnapshotSource(view: view, space: space, certificate: certificate, checkpoint: signed)
    }

    /// A node was heard of.
    ///
    /// - Parameters:
    ///   - author: the node.
    ///   - position: what it has applied or was sent; nil when it did not say.
    public func heard(_ author: AuthorID, position: UInt64? = nil) {
        followers.heard(author, position: position, milliseconds: wallMilliseconds)
    }

    func startRetention() {
        retention.start(failed: { [keeper] in keeper.noticed($0) }, { [weak self] in self?.situation })
    }

    private var situation: Retention.Situation {
        // What is not saved now is saved with the next round.
        try? followers.save(engine)
        let place = place
        return Retention.Situation(
            end: place.position, firstPosition: firstPosition, applied: holders.map(\.position).min(),
            held: shelf.heldPosition(now: steadyMilliseconds))
    }

    /// Nodes that the log is kept for: members that were heard of lately.
    private var holders: [(author: AuthorID, position: UInt64)] {
        let members = records.members
        let since = wallMilliseconds - min(options.retention.liveMilliseconds, wallMilliseconds)
        return followers.live(since: since).filter { members[$0.author].map { !$0.isRevoked } ?? false }
            .map { ($0.author, $0.follower.position) }
    }

    /// How much of the log is kept, and for whom.
    public struct RetentionStatus: Sendable {
        /// Entries from here on are whole.
        public var horizon: UInt64
        public var entries: UInt64
        public var bytes: UInt64
        /// Entries below the horizon that still prove something.
        public var retained: UInt64
        /// Live nodes, the one that is furthest behind first.
        public var holders: [(author: AuthorID, position: UInt64)]
        /// Nodes that are being sent a snapshot.
        public var snapshotReaders: Int
        public var failure: String?
    }

    public var retentionStatus: RetentionStatus {
        let status = retention.status
        return RetentionStatus(
            horizon: status.horizon, entries: status.entries, bytes: status.bytes, retained: status.retained, holders: holders,
            snapshotReaders: shelf.readerCount, failure: status.failure?.description)
    }
}
