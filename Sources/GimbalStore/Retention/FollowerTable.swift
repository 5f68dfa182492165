import GimbalCRDT
import GimbalReplication
import GimbalStorage
import GimbalWire
import Synchronization

/// How far each node of a space has followed its log, as far as the pivot knows, and when it was last heard of. Kept across
/// starts, so that a restart neither forgets whom the log is kept for nor keeps it for ever.
final class FollowerTable: Sendable {
    struct Follower: Hashable, Sendable {
        /// What it has applied, or was sent.
        var position: UInt64
        var heardMilliseconds: UInt64
    }

    private struct State {
        var followers: [AuthorID: Follower] = [:]
        var changed: Set<AuthorID> = []
    }

    private let state = Mutex(State())

    init(_ view: any StorageView) throws(StoreError) {
        let prefix = RecordKey.followerPrefix
        var stored: [AuthorID: Follower] = [:]
        try SpaceLoader(view: view).scan(from: prefix, until: RecordKey.end(of: prefix), in: .metadata, "followers") {
            key, value throws(WireError) in
            guard let author = AuthorID(key.dropFirst(prefix.count)) else { throw WireError(.truncated) }
            var reader = CBORReader(value)
            try reader.array(of: 2)
            stored[author] = Follower(position: try reader.ordinal(), heardMilliseconds: try reader.ordinal())
            return true
        }
        state.withLock { $0.followers = stored }
    }

    /// - Parameter position: nil when the node said nothing of it; one below what is known is a node that lost its data.
    func heard(_ author: AuthorID, position: UInt64?, milliseconds: UInt64) {
        state.withLock { state in
            var follower = state.followers[author] ?? Follower(position: 0, heardMilliseconds: 0)
            if let position { follower.position = position }
            follower.heardMilliseconds = max(follower.heardMilliseconds, milliseconds)
            guard state.followers[author] != follower else { return }
            state.followers[author] = follower
            state.changed.insert(author)
        }
    }

    /// The nodes that were heard of since a moment, by position.
    func live(since milliseconds: UInt64) -> [(author: AuthorID, follower: Follower)] {
        state.withLock { $0.followers }.filter { $0.value.heardMilliseconds >= milliseconds }
            .sorted { ($0.value.position, $0.key) < ($1.value.position, $1.key) }.map { ($0.key, $0.value) }
    }

    func save(_ engine: any StorageEngine) throws(StoreError) {
        let changed = state.withLock { state in
            defer { state.changed = [] }
            return state.changed.compactMap { author in state.followers[author].map { (author, $0) } }
        }
        guard !changed.isEmpty else { return }
        var batch = StorageBatch()
        for (author, follower) in changed {
            var writer = CBORWriter()
            writer.array(count: 2)
            writer.unsigned(follower.position)
            writer.unsigned(follower.heardMilliseconds)
            batch.put(writer.bytes, at: RecordKey.follower(author), in: .metadata)
        }
        do throws(StoreError) {
            try storing { () throws(StorageError) in try engine.commit(batch) }
        } catch {
            state.withLock { $0.changed.formUnion(changed.map(\.0)) }
            throw error
        }
    }
}
